//! Silence: how long it is borne, who is asked next, and how a server comes back.

use tokio::time::Instant;

use super::server::{ACCEPT, CHALLENGE, EAP_MESSAGE, REJECT, STATE, STATUS_SERVER};
use super::*;

/// No reply ever comes here, so the clock may jump from wait to wait.
#[tokio::test(start_paused = true)]
async fn a_silent_server_is_asked_three_times_in_ten_seconds() {
    let server = Server::start().await;
    let client = client(&[&server], Timings::default());
    let start = Instant::now();
    let error = begin(&client).ask(NAME, IDENTITY).await.unwrap_err();
    assert!((10.0..10.1).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
    assert!(error.to_string().contains("did not answer in 10s"), "{error}");
    assert_eq!((count(&client, "requests"), count(&client, "retransmissions")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_run_asks_two_servers_and_no_third() {
    let servers = [Server::start().await, Server::start().await, Server::start().await];
    let client = client(&servers.each_ref(), Timings::default());
    let start = Instant::now();
    begin(&client).ask(NAME, IDENTITY).await.unwrap_err();
    assert!((20.0..20.1).contains(&start.elapsed().as_secs_f64()), "{:?}", start.elapsed());
    let asked: Vec<_> = client.status().iter().map(|server| server.counts["requests"]).collect();
    assert_eq!(asked, [1, 1, 0]);
}

async fn rejects(server: &Server) {
    loop {
        let request = server.request().await;
        server.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
    }
}

async fn round(client: &Arc<Client>, serving: &Server) -> Result<Answer, AaaError> {
    let mut run = begin(client);
    tokio::select! {
        answer = run.ask(NAME, IDENTITY) => answer,
        () = rejects(serving) => unreachable!(),
    }
}

fn alive(client: &Client) -> Vec<bool> {
    client.status().iter().map(|server| server.is_alive).collect()
}

#[tokio::test]
async fn the_first_round_moves_on_after_the_limit_and_later_runs_at_once() {
    let (silent, serving) = (Server::start().await, Server::start().await);
    let client = client(&[&silent, &serving], IMPATIENT);
    let start = Instant::now();
    assert_eq!(round(&client, &serving).await.unwrap(), reject());
    assert!(start.elapsed() >= IMPATIENT.limit);
    assert_eq!(alive(&client), [false, true]);
    assert_eq!(round(&client, &serving).await.unwrap(), reject());
    assert_eq!(count(&client, "requests"), 1, "the dead server was asked again");
    assert!(count(&client, "probes") >= 1);
}

#[tokio::test]
async fn a_later_round_never_goes_to_another_server() {
    let (first, second) = (Server::start().await, Server::start().await);
    let client = client(&[&first, &second], IMPATIENT);
    let mut run = begin(&client);
    let serve = async {
        let request = first.request().await;
        first.answer(&request, CHALLENGE, &[(EAP_MESSAGE, EAP_REQUEST), (STATE, b"of the first")]).await;
    };
    let (answer, ()) = tokio::join!(run.ask(NAME, IDENTITY), serve);
    assert_eq!(answer.unwrap(), challenge());
    assert!(matches!(run.ask(NAME, EAP_RESPONSE).await, Err(AaaError::Silent { .. })));
    second.hears_nothing(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_server_that_is_dead_is_tried_again_after_the_dead_time() {
    let (silent, serving) = (Server::start().await, Server::start().await);
    let client = client(&[&silent, &serving], Timings { dead_time: Duration::from_secs(2), ..IMPATIENT });
    round(&client, &serving).await.unwrap();
    assert_eq!(alive(&client), [false, true]);
    tokio::time::sleep(Duration::from_millis(2050)).await;
    assert_eq!(alive(&client), [true, true]);
    round(&client, &serving).await.unwrap();
    assert_eq!(count(&client, "requests"), 2);
}

/// Until the client takes the first server for alive.
async fn comes_back(client: &Client) {
    for _ in 0..1000 {
        if alive(client)[0] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still dead: {:?}", client.status());
}

/// The next Status-Server, past what was asked before.
async fn probe(server: &Server) -> Request {
    loop {
        let request = server.request().await;
        if request.code() == STATUS_SERVER {
            return request;
        }
    }
}

#[tokio::test]
async fn an_answer_to_status_server_makes_a_dead_server_alive() {
    let (silent, serving) = (Server::start().await, Server::start().await);
    let client = client(&[&silent, &serving], IMPATIENT);
    round(&client, &serving).await.unwrap();
    let (first, second) = (probe(&silent).await, probe(&silent).await);
    assert_ne!(first.authenticator(), second.authenticator(), "a Status-Server is never sent again");
    assert_eq!(second.value(server::USER_NAME), b"");
    silent.answer(&second, ACCEPT, &[]).await;
    comes_back(&client).await;
    assert_eq!(round(&client, &silent).await.unwrap(), reject());
}

#[tokio::test]
async fn an_answer_to_status_server_without_message_authenticator_is_a_sign_of_life_and_a_forged_one_is_none() {
    let (silent, serving) = (Server::start().await, Server::start().await);
    let client = client(&[&silent, &serving], IMPATIENT);
    round(&client, &serving).await.unwrap();
    let request = probe(&silent).await;
    let mut forged = silent.unsigned(&request, ACCEPT, &[]);
    forged[19] ^= 1;
    silent.send(&forged, &request).await;
    while count(&client, "dropped-response-authenticator") + count(&client, "dropped-unexpected") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(alive(&client), [false, true]);
    let request = probe(&silent).await;
    silent.send(&silent.unsigned(&request, ACCEPT, &[]), &request).await;
    comes_back(&client).await;
}

#[tokio::test]
async fn a_server_that_is_not_said_to_know_status_server_is_not_probed() {
    let silent = Server::start().await;
    let config = hac::aaa::ServerConfig { status_server: false, ..silent.config() };
    let config = ClientConfig { servers: vec![config], nas_identifier: "hac".to_owned(), timings: IMPATIENT };
    let client = Client::new(config).unwrap();
    begin(&client).ask(NAME, IDENTITY).await.unwrap_err();
    assert_eq!(alive(&client), [false]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(count(&client, "probes"), 0);
}

#[tokio::test]
async fn a_server_that_answers_others_is_not_dead_for_being_silent_to_one() {
    let server = Server::start().await;
    let client = client(&[&server], IMPATIENT);
    let mut unanswered = begin(&client);
    let others = async {
        let first = server.request().await;
        loop {
            let request = server.request().await;
            if request.identifier() != first.identifier() {
                server.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
            }
        }
    };
    let another = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        begin(&client).ask(NAME, IDENTITY).await
    };
    tokio::select! {
        (silent, answered) = async { tokio::join!(unanswered.ask(NAME, IDENTITY), another) } => {
            assert!(matches!(silent, Err(AaaError::Silent { .. })));
            assert_eq!(answered.unwrap(), reject());
        }
        () = others => unreachable!(),
    }
    assert_eq!(alive(&client), [true]);
}

#[tokio::test]
async fn when_all_are_dead_the_first_is_tried_all_the_same() {
    let servers = [Server::start().await, Server::start().await];
    let client = client(&servers.each_ref(), IMPATIENT);
    begin(&client).ask(NAME, IDENTITY).await.unwrap_err();
    assert_eq!(alive(&client), [false, false]);
    assert_eq!(round(&client, &servers[0]).await.unwrap(), reject());
    assert_eq!(alive(&client), [true, false]);
}

#[tokio::test]
async fn a_port_that_refuses_is_asked_again_and_answers_once_its_server_is_up() {
    let address = Server::start().await.address();
    let server = Server { socket: Server::start().await.socket, secret: b"shared with this HAC" };
    let config = hac::aaa::ServerConfig { transport: hac::aaa::Transport::Udp(address), ..server.config() };
    let timings = Timings { timeout: Duration::from_millis(300), ..TIMINGS };
    let client = Client::new(ClientConfig { servers: vec![config], nas_identifier: "hac".to_owned(), timings }).unwrap();
    let mut run = begin(&client);
    let serve = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let server = Server::at(address).await;
        let request = server.request().await;
        server.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
    };
    let (answer, ()) = tokio::join!(run.ask(NAME, IDENTITY), serve);
    assert_eq!(answer.unwrap(), reject());
}
