//! RADIUS over TLS: whom the two ends believe, and what becomes of requests when a connection does not hold.

mod connection;
mod server;
mod trust;

use fixture::Authority;

use super::server::{ACCEPT, CHALLENGE, EAP_MESSAGE, REJECT, STATE};
use super::*;
use server::{Connection, Server, TLS_12, TLS_13, Trust};

fn of(server: &Server, timings: Timings) -> Arc<Client> {
    configured(server.config(), timings)
}

fn configured(config: hac::aaa::ServerConfig, timings: Timings) -> Arc<Client> {
    Client::new(ClientConfig { servers: vec![config], nas_identifier: "hac.example.org".to_owned(), timings }).unwrap()
}

async fn rejects(connection: &mut Connection) -> Request {
    let request = connection.request().await;
    connection.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
    request
}

/// A first round that is answered with an Access-Reject on `connection`.
async fn round(client: &Arc<Client>, connection: &mut Connection) {
    let mut run = begin(client);
    let (answer, _) = tokio::join!(run.ask(NAME, IDENTITY), rejects(connection));
    assert_eq!(answer.unwrap(), reject());
}

#[tokio::test]
async fn a_run_over_tls_ends_with_the_msk_on_one_connection_of_either_version() {
    for (versions, version) in [(TLS_12, "1.2"), (TLS_13, "1.3")] {
        let authority = Authority::new();
        let server = Server::start(Trust { versions, ..Trust::by(&authority) }).await;
        let client = of(&server, TIMINGS);
        let before = &client.status()[0];
        assert_eq!((before.transport, before.tls_version, before.sockets), ("tls", None, 0));
        let mut run = begin(&client);
        let serve = async {
            let mut connection = server.accept().await;
            let first = connection.request().await;
            connection.answer(&first, CHALLENGE, &[(STATE, b"\x00state"), (EAP_MESSAGE, EAP_REQUEST)]).await;
            connection
        };
        let (answer, mut connection) = tokio::join!(run.ask(NAME, IDENTITY), serve);
        assert_eq!(answer.unwrap(), challenge());
        let serve = async {
            let second = connection.request().await;
            assert_eq!(second.value(STATE), b"\x00state");
            let recv = server::hidden_key(&second, 17, [0x80, 1], &[0x11; 32]);
            let send = server::hidden_key(&second, 16, [0x80, 2], &[0x22; 32]);
            connection.answer(&second, ACCEPT, &[(26, &recv), (26, &send), (EAP_MESSAGE, EAP_SUCCESS)]).await;
        };
        let (answer, ()) = tokio::join!(run.ask(NAME, EAP_RESPONSE), serve);
        let Answer::Accept(accept) = answer.unwrap() else { panic!("no access") };
        assert_eq!(accept.msk.unwrap().expose(), [[0x11; 32], [0x22; 32]].concat());
        let after = &client.status()[0];
        assert_eq!((after.tls_version, after.sockets, after.is_alive), (Some(version), 1, true));
        assert_eq!((count(&client, "requests"), count(&client, "retransmissions")), (2, 0));
    }
}

#[tokio::test]
async fn two_requests_share_a_connection_and_their_answers_may_come_in_any_order() {
    let authority = Authority::new();
    let server = Server::start(Trust::by(&authority)).await;
    let client = of(&server, TIMINGS);
    let (mut one, mut other) = (begin(&client), begin(&client));
    let serve = async {
        let mut connection = server.accept().await;
        let (first, second) = (connection.request().await, connection.request().await);
        assert_ne!(first.identifier(), second.identifier());
        for request in [&second, &first] {
            let name = request.value(super::server::USER_NAME);
            connection.answer(request, CHALLENGE, &[(STATE, &name), (EAP_MESSAGE, EAP_REQUEST)]).await;
        }
        for _ in 0..2 {
            let request = connection.request().await;
            assert_eq!(request.value(STATE), request.value(super::server::USER_NAME), "an answer came to another run");
            connection.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
        }
        connection
    };
    let run = async |run: &mut Conversation, name: &'static [u8]| {
        assert_eq!(run.ask(name, IDENTITY).await.unwrap(), challenge());
        assert_eq!(run.ask(name, EAP_RESPONSE).await.unwrap(), reject());
    };
    let (.., _connection) = tokio::join!(run(&mut one, b"alice@example.org"), run(&mut other, b"bob@example.org"), serve);
    assert_eq!(client.status()[0].sockets, 1);
}

#[tokio::test]
async fn more_requests_than_identifiers_take_another_connection() {
    let authority = Authority::new();
    let server = Server::start(Trust::by(&authority)).await;
    let client = of(&server, TIMINGS);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let mut run = begin(&client);
        running.spawn(async move { run.ask(NAME, IDENTITY).await.unwrap() });
    }
    let (mut first, mut second) = (server.accept().await, server.accept().await);
    let serve = async |connection: &mut Connection, requests: usize| {
        for _ in 0..requests {
            rejects(connection).await;
        }
    };
    tokio::join!(serve(&mut first, 256), serve(&mut second, 44));
    assert!(running.join_all().await.into_iter().all(|answer| answer == reject()));
    assert_eq!(client.status()[0].sockets, 2);
}
