//! One source opens all the connections that it can and says nothing.

use std::net::Ipv4Addr;

use hac::places::MAX_OF_SOURCE;
use tokio::net::TcpSocket;

use super::*;

pub(super) async fn connect_from(source: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(to).await
}

/// Whether the HAC resets the connection before a word of TLS: perhaps before this end has seen that it stands.
async fn is_reset(source: Ipv4Addr, to: SocketAddr) -> bool {
    let reading = async { connect_from(source, to).await?.read(&mut [0; 1]).await };
    let read = tokio::time::timeout(Duration::from_secs(5), reading).await.unwrap();
    read.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fills_its_share_keeps_no_other_out() {
    let world = World::new();
    let running = world.start().await.unwrap();
    let (mut home_agent, _) = world.home_agent(running.home_agents(), 1).await;
    connected(&running).await;
    let _fed = tokio::spawn(async move { (installed(next_change(&mut home_agent).await), home_agent) });
    let at = running.mobile_nodes()[0];
    let mut silent = Vec::new();
    for _ in 0..MAX_OF_SOURCE {
        silent.push(connect_from([127, 0, 0, 2].into(), at).await.unwrap());
    }
    until(&world, |status| status["sessions"]["open"] == MAX_OF_SOURCE).await;
    for _ in 0..3 {
        assert!(is_reset([127, 0, 0, 2].into(), at).await);
    }
    world.provision(at).await.unwrap();
    let status = until(&world, |status| status["sessions"]["open"] == MAX_OF_SOURCE).await;
    assert_eq!((&status["sessions"]["refused"], &status["sessions"]["200"]), (&3.into(), &1.into()));

    silent.truncate(MAX_OF_SOURCE - 1);
    until(&world, |status| status["sessions"]["open"] == MAX_OF_SOURCE - 1).await;
    let mut late = connect_from([127, 0, 0, 2].into(), at).await.unwrap();
    until(&world, |status| status["sessions"]["open"] == MAX_OF_SOURCE).await;
    let answered = tokio::time::timeout(Duration::from_millis(200), late.read(&mut [0; 1])).await;
    assert!(answered.is_err(), "a place that was given back is there again, and the HAC waits: {answered:?}");
}
