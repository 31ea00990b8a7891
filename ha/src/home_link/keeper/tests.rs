//! The keeper at one end of a link and, at the other, somebody who listens and claims.

use std::net::Ipv6Addr;

use fixture::{in_new_network_namespace_async, shell};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::look;
use super::*;

const FAR: [u8; 6] = [2, 0, 0, 0, 0, 9];
const NODE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 5);
const HOME4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 0, 5));

struct World {
    orders: mpsc::Sender<Order>,
    verdicts: mpsc::Receiver<Verdict>,
    keeper: JoinHandle<()>,
    far: LinkSocket,
}

impl World {
    /// With `wait` milliseconds for whoever has an address to say so.
    async fn new(wait: u32) -> Self {
        shell("ip link add home type veth peer name far && ip link set home up && ip link set far up");
        shell("ip address add 2001:db8:100::1/64 dev home nodad && ip address add 10.9.0.1/24 dev home");
        shell("ip link add tunnel type veth peer name inside && ip link set tunnel up");
        shell(&format!("echo {wait} >/proc/sys/net/ipv6/neigh/home/retrans_time_ms"));
        shell("for i in $(seq 100); do ip link show home | grep 'state UP' && break; sleep 0.02; done");
        let netlink = Netlink::connect().unwrap();
        let look = look(&netlink, "home").await.unwrap();
        let index = async |name| netlink.link_index(name).await.unwrap();
        let (tunnel, far) = (index("tunnel").await, LinkSocket::open(index("far").await, FAR).unwrap());
        let socket = LinkSocket::open(look.index, look.end.hardware).unwrap();
        let keeper = Keeper::new(netlink.clone(), socket, &look, tunnel, 78);
        let (orders, queue) = mpsc::channel(8);
        let (sender, verdicts) = mpsc::channel(8);
        Self { orders, verdicts, keeper: tokio::spawn(keeper.run(queue, sender)), far }
    }

    async fn order(&self, order: Order) {
        self.orders.send(order).await.ok().unwrap();
    }

    async fn releases(&self, addresses: Vec<IpAddr>) {
        let (done, is_done) = oneshot::channel();
        self.order(Order::Release(addresses, done)).await;
        is_done.await.unwrap();
    }

    /// How often `address` is claimed at the near end within so many milliseconds.
    async fn claims(&self, address: IpAddr, milliseconds: u64) -> usize {
        let mut heard = 0;
        let hear = async {
            loop {
                heard += usize::from(self.far.claimed().await.unwrap() == address);
            }
        };
        let _ = timeout(Duration::from_millis(milliseconds), hear).await;
        heard
    }
}

fn detection(addresses: &[IpAddr]) -> Detection {
    Detection { node: NODE, addresses: addresses.to_vec() }
}

#[test]
fn an_address_is_announced_three_times_unless_it_is_released_meanwhile() {
    in_new_network_namespace_async(|| async {
        let world = World::new(1000).await;
        for address in [NODE.into(), HOME4] {
            world.order(Order::Intercept(vec![address])).await;
            assert_eq!(world.claims(address, 3500).await, 3, "{address}");
        }
        world.releases(vec![NODE.into()]).await;
        world.order(Order::Intercept(vec![NODE.into()])).await;
        assert_eq!(world.claims(NODE.into(), 500).await, 1);
        world.releases(vec![NODE.into()]).await;
        assert_eq!(world.claims(NODE.into(), 1500).await, 0);
    });
}

#[test]
fn an_ipv4_address_that_somebody_else_claims_is_defended_as_long_as_it_is_answered_for() {
    in_new_network_namespace_async(|| async {
        let world = World::new(1000).await;
        world.order(Order::Intercept(vec![HOME4])).await;
        assert_eq!(world.claims(HOME4, 3500).await, 3);
        world.far.send(&neighbour::probe(HOME4, FAR)).unwrap();
        assert_eq!(world.claims(HOME4, 300).await, 1);
        for _ in 0..100 {
            world.far.send(&neighbour::probe(HOME4, FAR)).unwrap();
        }
        let defences = world.claims(HOME4, 300).await;
        assert!((1..=2 * DEFENCES as usize).contains(&defences), "{defences} times");
        world.releases(vec![HOME4]).await;
        world.far.send(&neighbour::probe(HOME4, FAR)).unwrap();
        assert_eq!(world.claims(HOME4, 300).await, 0);
    });
}

#[test]
fn whoever_claims_what_is_looked_for_is_found_at_once_and_silence_is_waited_for() {
    in_new_network_namespace_async(|| async {
        let mut world = World::new(1500).await;
        let both = detection(&[NODE.into(), HOME4]);
        for (address, end) in [(IpAddr::V6(NODE), Some([0xfe80, 0, 0, 0, 0, 0, 0, 9].into())), (HOME4, None)] {
            let asked = Instant::now();
            world.order(Order::Detect(both.clone())).await;
            assert!(world.claims(address, 700).await > 0, "the probe");
            world.far.send(&neighbour::announcement(address, LinkEnd { hardware: FAR, ip6: end }).unwrap()).unwrap();
            assert_eq!(world.verdicts.recv().await.unwrap(), (both.clone(), vec![address]));
            assert!(asked.elapsed() < Duration::from_millis(1500), "{:?}", asked.elapsed());
        }
        let asked = Instant::now();
        world.order(Order::Detect(both.clone())).await;
        assert_eq!(world.verdicts.recv().await.unwrap(), (both, vec![]));
        assert!(asked.elapsed() >= Duration::from_millis(1500));
    });
}

#[test]
fn nothing_is_left_when_the_gateway_is_gone() {
    in_new_network_namespace_async(|| async {
        let world = World::new(1000).await;
        world.order(Order::Intercept(vec![NODE.into(), HOME4])).await;
        drop(world.orders);
        world.keeper.await.unwrap();
        let left =
            shell("ip -6 neighbour show proxy; ip -4 neighbour show proxy; ip -6 route show proto 78; ip route show proto 78");
        assert_eq!(left, "");
    });
}
