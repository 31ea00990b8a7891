//! Connections that do not hold: what waited begins anew on another, within the limit.

use super::super::server::{Request, STATUS_SERVER, reply_under};
use super::*;

/// The server does `first` with the first connection and its request; the request comes again, as a new one, and is answered.
async fn begins_anew(first: impl AsyncFnOnce(Connection, &Request)) -> Arc<Client> {
    let authority = Authority::new();
    let server = Server::start(Trust::by(&authority)).await;
    let client = of(&server, TIMINGS);
    let mut run = begin(&client);
    let serve = async {
        let mut connection = server.accept().await;
        let lost = connection.request().await;
        first(connection, &lost).await;
        let again = rejects(&mut server.accept().await).await;
        assert_ne!(lost.authenticator(), again.authenticator(), "a new request");
        assert_eq!(lost.value(EAP_MESSAGE), again.value(EAP_MESSAGE));
    };
    let (answer, ()) = tokio::join!(run.ask(NAME, IDENTITY), serve);
    assert_eq!(answer.unwrap(), reject());
    assert_eq!((count(&client, "requests"), count(&client, "retransmissions"), count(&client, "rejects")), (1, 1, 1));
    client
}

#[tokio::test]
async fn a_request_begins_anew_where_the_server_closes_or_drops_the_connection() {
    begins_anew(async |connection, _| connection.close().await).await;
    begins_anew(async |connection, _| drop(connection)).await;
}

#[tokio::test]
async fn a_length_out_of_bounds_ends_the_connection_and_no_request() {
    for length in [5000_u16, 3, 19, 0] {
        let client = begins_anew(async |mut connection, request| {
            let [high, low] = length.to_be_bytes();
            connection.send(&[REJECT, request.identifier(), high, low]).await;
            assert!(connection.next().await.is_none(), "the client goes on after a Length of {length}");
        })
        .await;
        assert_eq!(count(&client, "dropped-malformed"), 1);
    }
}

#[tokio::test]
async fn a_reply_that_is_not_authentic_ends_the_connection_and_no_request() {
    let client = begins_anew(async |mut connection, request| {
        connection.send(&reply_under(b"a chosen secret", request, ACCEPT, &[(EAP_MESSAGE, EAP_SUCCESS)])).await;
        assert!(connection.next().await.is_none(), "the client goes on after a forged reply");
    })
    .await;
    assert_eq!(count(&client, "dropped-message-authenticator"), 1);
}

#[tokio::test]
async fn a_reply_to_nobody_or_in_pieces_ends_nothing() {
    let authority = Authority::new();
    let server = Server::start(Trust::by(&authority)).await;
    let client = of(&server, TIMINGS);
    let mut run = begin(&client);
    let serve = async {
        let mut connection = server.accept().await;
        let request = connection.request().await;
        let mut other = request.clone();
        other.octets[1] ^= 1;
        let all = [
            reply_under(server::SECRET, &other, ACCEPT, &[]),
            reply_under(server::SECRET, &request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]),
        ]
        .concat();
        for piece in all.chunks(7) {
            connection.send(piece).await;
            tokio::task::yield_now().await;
        }
        connection
    };
    let (answer, _connection) = tokio::join!(run.ask(NAME, IDENTITY), serve);
    assert_eq!(answer.unwrap(), reject());
    assert_eq!((count(&client, "dropped-unexpected"), client.status()[0].sockets), (1, 1));
}

#[tokio::test]
async fn a_server_that_never_answers_is_silent_and_the_next_request_takes_another_connection() {
    let authority = Authority::new();
    let server = Server::start(Trust::by(&authority)).await;
    let client = of(&server, IMPATIENT);
    let mut run = begin(&client);
    let (answer, mut silent) = tokio::join!(run.ask(NAME, IDENTITY), async {
        let mut connection = server.accept().await;
        connection.request().await;
        connection
    });
    let error = answer.unwrap_err();
    assert!(matches!(error, AaaError::Silent { .. }) && error.to_string().contains("the connection to it stands"), "{error}");
    assert!(!client.status()[0].is_alive);
    assert_eq!(count(&client, "retransmissions"), 0, "nothing is sent twice on one connection");
    let mut run = begin(&client);
    let (answer, _) = tokio::join!(run.ask(NAME, IDENTITY), async { rejects(&mut server.accept().await).await });
    assert_eq!(answer.unwrap(), reject());
    assert!(client.status()[0].is_alive);
    assert!(silent.next().await.is_none(), "the connection that heard nothing is left open");
}

#[tokio::test]
async fn an_idle_connection_is_kept_and_opened_again_when_the_server_has_closed_it() {
    let authority = Authority::new();
    let server = Server::start(Trust::by(&authority)).await;
    let client = of(&server, TIMINGS);
    let mut run = begin(&client);
    let (answer, mut connection) = tokio::join!(run.ask(NAME, IDENTITY), async {
        let mut connection = server.accept().await;
        rejects(&mut connection).await;
        connection
    });
    assert_eq!(answer.unwrap(), reject());
    round(&client, &mut connection).await;
    connection.close().await;
    while client.status()[0].sockets > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((client.status()[0].tls_version, client.status()[0].is_alive), (None, true));
    let mut run = begin(&client);
    let (answer, _) = tokio::join!(run.ask(NAME, IDENTITY), async { rejects(&mut server.accept().await).await });
    assert_eq!(answer.unwrap(), reject());
    assert_eq!((count(&client, "requests"), count(&client, "retransmissions")), (3, 0));
}

#[tokio::test]
async fn a_server_that_comes_up_within_the_limit_answers_what_was_asked_before() {
    let authority = Authority::new();
    let mut server = Server::start(Trust::by(&authority)).await;
    server.stop();
    let client = of(&server, TIMINGS);
    let mut run = begin(&client);
    let serve = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        server.listen().await;
        rejects(&mut server.accept().await).await;
    };
    let (answer, ()) = tokio::join!(run.ask(NAME, IDENTITY), serve);
    assert_eq!(answer.unwrap(), reject());
}

#[tokio::test]
async fn a_port_that_refuses_is_named_with_what_to_look_for() {
    let authority = Authority::new();
    let mut server = Server::start(Trust::by(&authority)).await;
    server.stop();
    let client = of(&server, IMPATIENT);
    let error = begin(&client).ask(NAME, IDENTITY).await.unwrap_err();
    assert!(matches!(error, AaaError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("does it serve TLS at that port?"), "{error}");
}

#[tokio::test]
async fn an_idle_connection_is_asked_by_status_server_and_closed_where_nothing_comes_back() {
    let authority = Authority::new();
    let server = Server::start(Trust::by(&authority)).await;
    let config = hac::aaa::ServerConfig { status_server: true, ..server.config() };
    let client = configured(config, Timings { probe: Duration::from_millis(600), ..TIMINGS });
    let mut run = begin(&client);
    let (answer, mut connection) = tokio::join!(run.ask(NAME, IDENTITY), async {
        let mut connection = server.accept().await;
        rejects(&mut connection).await;
        connection
    });
    assert_eq!(answer.unwrap(), reject());
    let first = connection.request().await;
    assert_eq!((first.code(), first.value(EAP_MESSAGE)), (STATUS_SERVER, vec![]));
    connection.answer(&first, ACCEPT, &[]).await;
    let second = connection.request().await;
    assert_eq!(second.code(), STATUS_SERVER, "the connection was kept");
    assert!(connection.next().await.is_none(), "a connection that leads nowhere is kept");
    assert!(client.status()[0].is_alive, "whether the server is there turns out with the next request");
}
