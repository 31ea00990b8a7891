//! Replies that are not the server's, or not to this request: dropped, counted, and the real one taken all the same.

use super::server::{ACCEPT, CHALLENGE, EAP_MESSAGE, REJECT, Request};
use super::*;

/// Sends what `forge` makes of the request, then a real Access-Reject, which is what must be taken. Counted under `reason`.
async fn is_dropped(reason: &str, forge: impl Fn(&Server, &Request) -> Vec<u8>) {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let answer = first_round(&client, &server, async |request| {
        server.send(&forge(&server, &request), &request).await;
        server.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
    });
    assert_eq!(answer.await.unwrap(), reject());
    assert_eq!(count(&client, reason), 1, "{:?}", client.status());
}

#[tokio::test]
async fn a_reply_without_message_authenticator_is_dropped_with_and_without_an_eap_message() {
    for code in [ACCEPT, REJECT, CHALLENGE] {
        for attributes in [&[][..], &[(EAP_MESSAGE, EAP_REQUEST)]] {
            is_dropped("dropped-no-message-authenticator", |server, request| server.unsigned(request, code, attributes)).await;
        }
    }
}

#[tokio::test]
async fn a_reply_with_a_wrong_message_authenticator_is_dropped() {
    let wrong = [(server::MESSAGE_AUTHENTICATOR, &[7; 16][..]), (EAP_MESSAGE, EAP_SUCCESS)];
    is_dropped("dropped-message-authenticator", |server, request| server.unsigned(request, ACCEPT, &wrong)).await;
}

#[tokio::test]
async fn a_reply_with_two_message_authenticators_is_dropped() {
    let second = [(server::MESSAGE_AUTHENTICATOR, &[0; 16][..])];
    is_dropped("dropped-no-message-authenticator", |server, request| server.reply(request, ACCEPT, &second)).await;
}

#[tokio::test]
async fn a_reply_with_a_wrong_response_authenticator_is_dropped() {
    let forge = |server: &Server, request: &Request| {
        let mut reply = server.reply(request, ACCEPT, &[]);
        reply[4] ^= 1;
        reply
    };
    is_dropped("dropped-response-authenticator", forge).await;
}

#[tokio::test]
async fn an_accept_forged_under_another_secret_does_not_overtake_the_real_reject() {
    let forge = |_: &Server, request: &Request| server::reply_under(b"guessed", request, ACCEPT, &[(EAP_MESSAGE, EAP_SUCCESS)]);
    is_dropped("dropped-message-authenticator", forge).await;
}

#[tokio::test]
async fn a_reply_under_another_identifier_or_of_another_code_is_dropped() {
    let renumbered = |server: &Server, request: &Request| {
        let mut other = request.clone();
        other.octets[1] ^= 1;
        server.reply(&other, ACCEPT, &[])
    };
    is_dropped("dropped-unexpected", renumbered).await;
    for code in [1, 4, 5, 12, 43] {
        is_dropped("dropped-code", |server, request| server.reply(request, code, &[])).await;
    }
}

#[tokio::test]
async fn what_is_no_packet_is_dropped() {
    is_dropped("dropped-malformed", |_, _| Vec::new()).await;
    is_dropped("dropped-malformed", |_, request| vec![2, request.identifier(), 0, 20]).await;
    let longer_than_4096 = |server: &Server, request: &Request| {
        let mut reply = server.reply(request, ACCEPT, &[(26, &[0; 253][..]); 15]);
        reply.resize(4097, 0);
        reply[2..4].copy_from_slice(&4097_u16.to_be_bytes());
        reply
    };
    is_dropped("dropped-malformed", longer_than_4096).await;
}

#[tokio::test]
async fn padding_beyond_4096_octets_takes_nothing_from_a_reply() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let answer = first_round(&client, &server, async |request| {
        let mut reply = server.reply(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]);
        reply.resize(6000, 0xff);
        server.send(&reply, &request).await;
    });
    assert_eq!(answer.await.unwrap(), reject());
}

#[tokio::test]
async fn an_authentic_reply_from_another_address_or_port_is_never_seen() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let other_port = Server::start().await;
    let other_address = Server::at(([127, 0, 0, 2], server.address().port()).into()).await;
    let answer = first_round(&client, &server, async |request| {
        for other in [&other_port, &other_address] {
            other.answer(&request, ACCEPT, &[(EAP_MESSAGE, EAP_SUCCESS)]).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
    });
    assert_eq!(answer.await.unwrap(), reject());
}

#[tokio::test]
async fn a_duplicate_of_the_last_reply_is_not_the_answer_to_the_next_request() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let mut run = begin(&client);
    let serve = async {
        let request = server.request().await;
        let reply = server.reply(&request, CHALLENGE, &[(EAP_MESSAGE, EAP_REQUEST)]);
        server.send(&reply, &request).await;
        server.send(&reply, &request).await;
        reply
    };
    let (answer, first) = tokio::join!(run.ask(NAME, IDENTITY), serve);
    assert_eq!(answer.unwrap(), challenge());
    let serve = async {
        let request = server.request().await;
        server.send(&first, &request).await;
        server.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
    };
    let (answer, ()) = tokio::join!(run.ask(NAME, EAP_RESPONSE), serve);
    assert_eq!(answer.unwrap(), reject());
    assert_eq!(count(&client, "dropped-unexpected"), 2);
}

#[tokio::test]
async fn a_delayed_reply_does_not_answer_a_later_request_with_the_same_identifier() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let mut delayed = None;
    for round in 0..=256 {
        let answer = first_round(&client, &server, async |request| {
            let (identifier, accept) = delayed.get_or_insert_with(|| (request.identifier(), server.reply(&request, ACCEPT, &[])));
            assert_eq!(*identifier == request.identifier(), round == 0 || round == 256);
            if round == 256 {
                server.send(accept, &request).await;
            }
            server.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
        });
        assert_eq!(answer.await.unwrap(), reject());
    }
    assert_eq!(count(&client, "dropped-message-authenticator"), 1);
}
