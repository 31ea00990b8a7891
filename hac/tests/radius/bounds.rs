//! What is under way is bounded, and what is given up leaves nothing.

use hac::aaa::{MAX_IN_FLIGHT, MAX_SOCKETS};
use tokio::task::JoinSet;

use super::server::{EAP_MESSAGE, REJECT};
use super::*;

/// Open sockets, and those on which something is under way.
fn sockets(client: &Client) -> (usize, usize) {
    let status = &client.status()[0];
    (status.sockets, status.busy_sockets)
}

#[tokio::test]
async fn a_run_given_up_half_way_leaves_no_waiter_and_its_reply_is_dropped() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let mut run = begin(&client);
    let request = tokio::select! {
        _ = run.ask(NAME, IDENTITY) => unreachable!(),
        request = server.request() => request,
    };
    assert_eq!(sockets(&client), (1, 0));
    server.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
    while count(&client, "dropped-unexpected") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_conversation_can_move_between_threads() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let mut run = begin(&client);
    let asking = tokio::spawn(async move { run.ask(NAME, IDENTITY).await });
    server.answer(&server.request().await, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
    assert_eq!(asking.await.unwrap().unwrap(), reject());
}

#[tokio::test]
async fn beyond_the_bound_a_run_is_told_to_come_again_and_no_other_suffers() {
    let server = Server::start().await;
    let client = client(&[&server], TIMINGS);
    let mut running = JoinSet::new();
    for _ in 0..MAX_IN_FLIGHT {
        let mut run = begin(&client);
        running.spawn(async move { run.ask(NAME, IDENTITY).await });
    }
    while count(&client, "requests") < MAX_IN_FLIGHT as u64 {
        tokio::task::yield_now().await;
    }
    assert_eq!(sockets(&client), (MAX_SOCKETS, MAX_SOCKETS));
    assert!(matches!(begin(&client).ask(NAME, IDENTITY).await, Err(AaaError::Busy { .. })));
    running.shutdown().await;
    assert_eq!(sockets(&client), (MAX_SOCKETS, 0));
    let mut run = begin(&client);
    tokio::select! {
        answer = run.ask(NAME, IDENTITY) => panic!("{answer:?}"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
}

#[tokio::test]
async fn a_socket_that_heard_nothing_is_left_for_another_one() {
    let server = Server::start().await;
    let client = client(&[&server], IMPATIENT);
    let mut run = begin(&client);
    let (silent, before) = tokio::join!(run.ask(NAME, IDENTITY), server.request());
    silent.unwrap_err();
    let mut run = begin(&client);
    let answered = async {
        loop {
            let request = server.request().await;
            if request.from != before.from && request.code() != server::STATUS_SERVER {
                server.answer(&request, REJECT, &[(EAP_MESSAGE, EAP_FAILURE)]).await;
                return;
            }
        }
    };
    let (answer, ()) = tokio::join!(run.ask(NAME, IDENTITY), answered);
    assert_eq!(answer.unwrap(), reject());
    assert!(sockets(&client).0 <= 2, "{:?}", sockets(&client));
}
