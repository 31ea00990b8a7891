//! Connection attempts that start one after the other and race (RFC 8305 section 5): the first that stands wins, and the others
//! are dropped.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};

use super::candidate::Candidate;

/// Between the starts of two attempts, while none has failed (RFC 8305: Connection Attempt Delay).
pub(super) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Before the first attempt of a lower priority: who is reached within it by one repeated SYN is preferred, as RFC 2782 wants, and
/// who is not counts as not reached (RFC 8305: Maximum Connection Attempt Delay).
pub(super) const PRIORITY_DELAY: Duration = Duration::from_secs(2);

/// Starts `attempt` for each of the candidates, in their order, until one succeeds: the next one [`ATTEMPT_DELAY`] after the one
/// before, or at once when one has failed; those of a lower priority [`PRIORITY_DELAY`] after it, or when all have failed.
/// `failed` hears of each that has. `None` when all have.
pub(super) async fn race<T, E, A>(
    candidates: &[Candidate],
    attempt: impl Fn(SocketAddr) -> A,
    mut failed: impl FnMut(SocketAddr, E),
) -> Option<(SocketAddr, T)>
where
    A: Future<Output = Result<T, E>>,
{
    let mut waiting = candidates.iter().peekable();
    let mut under_way = FuturesUnordered::new();
    let mut last: Option<(Instant, u16)> = None;
    let mut hurries = false;
    loop {
        let due = waiting.peek().map(|next| match last {
            Some((_, priority)) if priority == next.priority && hurries => Instant::now(),
            Some((started, priority)) if !under_way.is_empty() => {
                started + if priority == next.priority { ATTEMPT_DELAY } else { PRIORITY_DELAY }
            }
            None | Some(_) => Instant::now(),
        });
        tokio::select! {
            biased;
            Some((address, outcome)) = under_way.next() => match outcome {
                Ok(connected) => return Some((address, connected)),
                Err(error) => {
                    hurries = true;
                    failed(address, error);
                }
            },
            () = wait_until(due), if due.is_some() => {
                if let Some(next) = waiting.next() {
                    let (address, outcome) = (next.address, attempt(next.address));
                    under_way.push(async move { (address, outcome.await) });
                    last = Some((Instant::now(), next.priority));
                    hurries = false;
                }
            }
            else => return None,
        }
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What an address does with a connection attempt.
    #[derive(Clone, Copy)]
    enum Does {
        Accept(u64),
        Refuse(u64),
        Nothing,
    }
    use Does::{Accept, Nothing, Refuse};

    /// Milliseconds from the beginning.
    #[derive(Default, Debug)]
    struct Seen {
        starts: Vec<u128>,
        failures: Vec<u16>,
        winner: Option<u16>,
        ended: u128,
    }

    /// A race among addresses that do so, by priority and in this order; their ports are their places.
    async fn run(addresses: &[(u16, Does)]) -> Seen {
        let at = |place: usize| SocketAddr::from(([192, 0, 2, 1], place as u16));
        let candidates: Vec<_> = addresses
            .iter()
            .enumerate()
            .map(|(place, (priority, _))| Candidate { address: at(place), priority: *priority })
            .collect();
        let (begun, starts, failures) = (Instant::now(), RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let attempt = |address: SocketAddr| {
            starts.borrow_mut().push(begun.elapsed().as_millis());
            let does = addresses[usize::from(address.port())].1;
            async move {
                match does {
                    Accept(after) => {
                        tokio::time::sleep(Duration::from_millis(after)).await;
                        Ok(())
                    }
                    Refuse(after) => {
                        tokio::time::sleep(Duration::from_millis(after)).await;
                        Err("refused")
                    }
                    Nothing => std::future::pending().await,
                }
            }
        };
        let winner = race(&candidates, attempt, |address, _| failures.borrow_mut().push(address.port())).await;
        let (winner, ended) = (winner.map(|(address, ())| address.port()), begun.elapsed().as_millis());
        Seen { starts: starts.into_inner(), failures: failures.into_inner(), winner, ended }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_answers_before_the_next_is_due_is_the_only_one_that_is_asked() {
        let seen = run(&[(0, Accept(200)), (0, Accept(0))]).await;
        assert_eq!((seen.starts, seen.winner, seen.ended), (vec![0], Some(0), 200));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_start_250_ms_apart_and_the_first_that_stands_wins() {
        let seen = run(&[(0, Nothing), (0, Accept(1000)), (0, Accept(100)), (0, Accept(0))]).await;
        assert_eq!((seen.starts, seen.winner, seen.ended), (vec![0, 250, 500], Some(2), 600));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_wins_over_those_that_never_answer() {
        let seen = run(&[(0, Accept(700)), (0, Nothing), (0, Nothing), (0, Nothing)]).await;
        assert_eq!((seen.starts, seen.winner, seen.ended), (vec![0, 250, 500], Some(0), 700));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_the_next_starts_at_once_and_a_network_that_is_not_there_costs_nothing() {
        let seen = run(&[(0, Refuse(0)), (0, Refuse(0)), (0, Refuse(10)), (0, Accept(5))]).await;
        assert_eq!((seen.starts, seen.failures, seen.winner, seen.ended), (vec![0, 0, 0, 10], vec![0, 1, 2], Some(3), 15));
    }

    #[tokio::test(start_paused = true)]
    async fn one_failure_brings_one_attempt_forward_and_no_more() {
        let seen = run(&[(0, Nothing), (0, Refuse(50)), (0, Nothing), (0, Accept(0))]).await;
        assert_eq!((seen.starts, seen.winner), (vec![0, 250, 300, 550], Some(3)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lower_priority_waits_until_all_before_it_have_failed_or_been_silent_for_two_seconds() {
        let failed = run(&[(1, Refuse(30)), (1, Refuse(60)), (2, Accept(0))]).await;
        assert_eq!((failed.starts, failed.winner), (vec![0, 30, 90], Some(2)));
        let silent = run(&[(1, Nothing), (1, Refuse(0)), (2, Accept(0))]).await;
        assert_eq!((silent.starts, silent.winner), (vec![0, 250, 2250], Some(2)));
        let slow = run(&[(1, Accept(1900)), (2, Accept(0))]).await;
        assert_eq!((slow.starts, slow.winner), (vec![0], Some(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_have_failed_there_is_no_winner_and_each_was_heard_of() {
        let seen = run(&[(0, Refuse(400)), (0, Refuse(0)), (1, Refuse(0))]).await;
        assert_eq!((seen.failures, seen.winner, seen.ended), (vec![1, 0, 2], None, 400));
        assert_eq!(run(&[]).await.winner, None);
    }
}
