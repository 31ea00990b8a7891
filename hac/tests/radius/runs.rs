use super::server::{ACCEPT, CHALLENGE, EAP_MESSAGE, REJECT, STATE, USER_NAME};
use super::*;

const VENDOR_SPECIFIC: u8 = 26;

#[tokio::test]
async fn a_run_ends_with_the_msk_and_every_round_says_who_it_is() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let mut run = begin(&client);
    let serve = async {
        let first = server.request().await;
        server.answer(&first, CHALLENGE, &[(STATE, b"\x00state"), (EAP_MESSAGE, EAP_REQUEST)]).await;
        first
    };
    let (answer, first) = tokio::join!(run.ask(NAME, IDENTITY), serve);
    assert_eq!(answer.unwrap(), challenge());
    let serve = async {
        let second = server.request().await;
        let recv = server.hidden_key(&second, 17, [0x80, 1], &[0x11; 32]);
        let send = server.hidden_key(&second, 16, [0x80, 2], &[0x22; 32]);
        let keys = [(VENDOR_SPECIFIC, &recv[..]), (VENDOR_SPECIFIC, &send), (USER_NAME, b"alice"), (EAP_MESSAGE, EAP_SUCCESS)];
        server.answer(&second, ACCEPT, &keys).await;
        second
    };
    let (answer, second) = tokio::join!(run.ask(NAME, EAP_RESPONSE), serve);
    let Answer::Accept(accept) = answer.unwrap() else { panic!("no access") };
    assert_eq!(accept.msk.unwrap().expose(), [[0x11; 32], [0x22; 32]].concat());
    assert_eq!((accept.user_name.as_deref(), accept.eap.as_deref()), (Some("alice"), Some(EAP_SUCCESS)));

    assert_eq!((first.value(EAP_MESSAGE), first.value(STATE)), (IDENTITY.to_vec(), vec![]));
    assert_eq!((second.value(EAP_MESSAGE), second.value(STATE)), (EAP_RESPONSE.to_vec(), b"\x00state".to_vec()));
    assert_eq!((first.value(USER_NAME), second.value(USER_NAME)), (NAME.to_vec(), NAME.to_vec()));
    assert_ne!(first.authenticator(), second.authenticator());
}

#[tokio::test]
async fn a_request_sent_again_is_the_same_in_every_octet_and_from_the_same_port() {
    let server = Server::start().await;
    let client = client(&[&server], Timings { timeout: Duration::from_millis(100), ..TIMINGS });
    let answer = first_round(&client, &server, async |first| {
        let second = server.request().await;
        assert_eq!(first, second);
        server.answer(&second, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
    });
    assert_eq!(answer.await.unwrap(), reject());
    assert!(count(&client, "retransmissions") >= 1);
    assert_eq!((count(&client, "requests"), count(&client, "rejects")), (1, 1));
}

#[tokio::test]
async fn a_long_eap_packet_goes_in_pieces_and_comes_in_pieces() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let packet = |code: u8| {
        let mut octets: Vec<u8> = (0..=255).cycle().take(1400).collect();
        octets[..4].copy_from_slice(&[code, 9, 5, 120]);
        octets
    };
    let mut run = begin(&client);
    let response = packet(2);
    let serve = async {
        let request = server.request().await;
        let eap = packet(1);
        let pieces: Vec<_> = eap.chunks(253).map(|piece| (EAP_MESSAGE, piece)).collect();
        server.answer(&request, CHALLENGE, &pieces).await;
        request.value(EAP_MESSAGE)
    };
    let (answer, arrived) = tokio::join!(run.ask(NAME, &response), serve);
    assert_eq!(answer.unwrap(), Answer::Challenge { eap: packet(1) });
    assert_eq!(arrived, response);
}

#[tokio::test]
async fn what_the_mobile_node_does_wrong_is_not_sent_and_the_run_goes_on() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let mut run = begin(&client);
    for wrong in [&[][..], EAP_REQUEST, EAP_SUCCESS, &IDENTITY[..21], &[2, 1, 0, 4]] {
        assert!(matches!(run.ask(NAME, wrong).await, Err(AaaError::NotAResponse)), "{wrong:?}");
    }
    assert!(matches!(run.ask(b"", IDENTITY).await, Err(AaaError::Identity(0))));
    assert!(matches!(run.ask(&[b'a'; 254], IDENTITY).await, Err(AaaError::Identity(254))));
    let mut long = vec![1; 4000];
    long[..4].copy_from_slice(&[2, 1, 0x0f, 0xa0]);
    assert!(matches!(run.ask(NAME, &long).await, Err(AaaError::TooLong(_))));
    assert_eq!(count(&client, "requests"), 0);

    let serve = async { server.answer(&server.request().await, CHALLENGE, &[(EAP_MESSAGE, EAP_REQUEST)]).await };
    let (answer, ()) = tokio::join!(run.ask(NAME, IDENTITY), serve);
    assert_eq!(answer.unwrap(), challenge());
    let late = [2, 8, 0, 6, 4, 1];
    assert!(matches!(run.ask(NAME, &late).await, Err(AaaError::NotAResponse)), "the identifier of another request");
    let serve = async { server.answer(&server.request().await, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await };
    let (answer, ()) = tokio::join!(run.ask(NAME, EAP_RESPONSE), serve);
    assert_eq!(answer.unwrap(), reject());
}

#[tokio::test]
async fn an_authentic_reply_of_no_use_ends_the_run_at_once() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let (begin, rest) = EAP_REQUEST.split_at(3);
    let apart = [(EAP_MESSAGE, begin), (STATE, b"s"), (EAP_MESSAGE, rest)];
    let answer = first_round(&client, &server, async |request| server.answer(&request, CHALLENGE, &apart).await).await;
    let error = answer.unwrap_err();
    assert!(matches!(error, AaaError::Unusable { .. }) && error.to_string().contains("EAP-Messages"), "{error}");
    let states = [(EAP_MESSAGE, EAP_REQUEST), (STATE, b"one"), (STATE, b"two")];
    let answer = first_round(&client, &server, async |request| server.answer(&request, CHALLENGE, &states).await).await;
    assert!(answer.unwrap_err().to_string().contains("attribute 24 several times"));
    let states = [(EAP_MESSAGE, EAP_FAILURE), (STATE, b"one"), (STATE, b"two")];
    let answer = first_round(&client, &server, async |request| server.answer(&request, REJECT, &states).await).await;
    assert_eq!(answer.unwrap(), reject(), "an Access-Reject denies access whatever else it has");
}
