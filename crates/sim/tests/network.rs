//! The simulated network keeps order, stalls where it is cut, and breaks with the node behind it.

#![allow(clippy::unwrap_used)]

use std::io;
use std::time::Duration;

use bytes::Bytes;
use engine::env::{Env, FRAME_MAX_BYTES, FrameReceiver, FrameSender, Runtime, Transport};
use openraft_rt::{AsyncRuntime, Instant};
use sim::{Crash, Network, NodeId, Sim, SimEnv, SimReceiver, SimRuntime, SimSender, World};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);

type Ends = (SimSender, SimReceiver);

/// Starts both nodes and connects them; what they do is up to the test.
async fn connect(sim: &Sim) -> (Ends, Ends) {
    let b = sim.start(B, |env: SimEnv| async move {
        env.transport().accept().await.unwrap()
    });
    let a = sim.start(A, |env: SimEnv| async move {
        env.transport().connect(&Network::address(B)).await.unwrap()
    });
    (a.await.unwrap(), b.await.unwrap())
}

fn frame(number: u32) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

async fn receive_within(receiver: &mut SimReceiver, limit: Duration) -> Option<io::Result<Bytes>> {
    let received = SimRuntime::timeout(limit, receiver.receive()).await.ok()?;
    received.transpose()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn frames_arrive_whole_and_in_order_after_a_delay() {
    World::new(1, 2).run(|sim| async move {
        let ((mut a, _), (_, mut b)) = connect(&sim).await;
        let start = <SimRuntime as AsyncRuntime>::Instant::now();
        for number in 0..100 {
            a.send(frame(number)).await.unwrap();
        }
        for number in 0..100 {
            assert_eq!(b.receive().await.unwrap().unwrap(), frame(number));
        }
        let taken = <SimRuntime as AsyncRuntime>::Instant::now() - start;
        assert!(
            taken > Duration::from_micros(50) && taken < SECOND,
            "{taken:?}"
        );
    });
}

#[test]
fn a_closed_connection_ends_after_its_last_frame() {
    World::new(2, 2).run(|sim| async move {
        let ((mut a, a_receiver), (mut b_sender, mut b)) = connect(&sim).await;
        a.send(frame(1)).await.unwrap();
        drop((a, a_receiver));
        assert_eq!(b.receive().await.unwrap().unwrap(), frame(1));
        assert_eq!(b.receive().await.unwrap(), None);
        assert!(
            b_sender.send(frame(2)).await.is_err(),
            "nobody is there to read"
        );
    });
}

#[test]
fn a_cut_link_stalls_one_way_and_delivers_when_healed() {
    World::new(3, 2).run(|sim| async move {
        let ((mut a, mut a_receiver), (mut b_sender, mut b)) = connect(&sim).await;
        sim.network().cut(A, B);
        a.send(frame(1)).await.unwrap();
        b_sender.send(frame(2)).await.unwrap();
        let back = receive_within(&mut a_receiver, SECOND).await.unwrap();
        assert_eq!(back.unwrap(), frame(2), "the other way works");
        assert!(receive_within(&mut b, SECOND).await.is_none());
        sim.network().heal(A, B);
        assert_eq!(
            receive_within(&mut b, SECOND).await.unwrap().unwrap(),
            frame(1)
        );
    });
}

#[test]
fn a_connect_over_a_cut_link_waits_then_times_out() {
    World::new(4, 2).run(|sim| async move {
        drop(connect(&sim).await);
        sim.network().partition(&[A], &[B]);
        let waiting = sim.on(A, connect_from(&sim, A, B));
        sim.sleep(SECOND).await;
        sim.network().heal_all();
        assert!(waiting.await.unwrap().is_ok());
        sim.network().cut(B, A);
        let timed_out = sim.on(A, connect_from(&sim, A, B)).await.unwrap();
        assert_eq!(timed_out, Err(io::ErrorKind::TimedOut));
    });
}

/// Connects and says how that went.
fn connect_from(
    sim: &Sim,
    from: NodeId,
    to: NodeId,
) -> impl Future<Output = Result<(), io::ErrorKind>> + Send + 'static {
    let transport = sim.env(from).transport().clone();
    async move {
        let connected = transport.connect(&Network::address(to)).await;
        connected.map(|_| ()).map_err(|error| error.kind())
    }
}

#[test]
fn a_crash_breaks_connections_and_refuses_new_ones() {
    World::new(5, 2).run(|sim| async move {
        let ((mut a, mut a_receiver), b) = connect(&sim).await;
        sim.crash(B, Crash::KeepAll);
        let broken = receive_within(&mut a_receiver, SECOND)
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::ConnectionReset);
        assert!(a.send(frame(1)).await.is_err());
        drop(b);
        let refused = sim.on(A, connect_from(&sim, A, B)).await.unwrap();
        assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused));
        sim.start(B, |_| async {}).await.unwrap();
        assert_eq!(sim.on(A, connect_from(&sim, A, B)).await.unwrap(), Ok(()));
    });
}

#[test]
fn a_reset_breaks_both_ends_but_not_the_nodes() {
    World::new(6, 2).run(|sim| async move {
        let ((mut a, _), (_, mut b)) = connect(&sim).await;
        sim.network().reset(B, A);
        assert!(a.send(frame(1)).await.is_err());
        assert!(receive_within(&mut b, SECOND).await.unwrap().is_err());
        assert_eq!(sim.on(A, connect_from(&sim, A, B)).await.unwrap(), Ok(()));
    });
}

#[test]
fn a_break_leaves_the_receiver_a_first_part_of_what_was_under_way() {
    let received = |seed| {
        World::new(seed, 2).run(|sim| async move {
            let ((mut a, _a), (_b, mut b)) = connect(&sim).await;
            for number in 0..10 {
                a.send(frame(number)).await.unwrap();
            }
            sim.network().reset(A, B);
            assert!(a.send(frame(10)).await.is_err());
            let mut count = 0;
            while let Some(Ok(bytes)) = receive_within(&mut b, SECOND).await {
                assert_eq!(bytes, frame(count));
                count += 1;
            }
            count
        })
    };
    let counts: Vec<u32> = (0..20).map(received).collect();
    assert!(counts.iter().any(|count| (1..10).contains(count)));
    assert!(counts.iter().all(|count| *count <= 10));
}

#[test]
fn a_stalled_connection_is_overtaken_by_a_new_one() {
    World::new(10, 2).run(|sim| async move {
        let ((mut a, _a), (_b, mut b)) = connect(&sim).await;
        sim.network().stall(A, B, 3 * SECOND);
        a.send(frame(1)).await.unwrap();
        let transport = sim.env(A).transport().clone();
        let connecting = sim.on(
            A,
            async move { transport.connect(&Network::address(B)).await },
        );
        let (mut second, _second) = connecting.await.unwrap().unwrap();
        second.send(frame(2)).await.unwrap();
        let (_back, mut overtaking) = sim.env(B).transport().accept().await.unwrap();
        let first = receive_within(&mut overtaking, SECOND).await.unwrap();
        assert_eq!(first.unwrap(), frame(2));
        assert!(receive_within(&mut b, SECOND).await.is_none());
        let late = receive_within(&mut b, 3 * SECOND).await.unwrap();
        assert_eq!(late.unwrap(), frame(1));
    });
}

#[test]
fn a_lossy_link_delays_keeps_the_order_and_loses_nothing() {
    World::new(11, 2).run(|sim| async move {
        let ((mut a, _a), (_b, mut b)) = connect(&sim).await;
        sim.network().set_loss(A, B, 50);
        let start = sim.elapsed();
        for number in 0..20 {
            a.send(frame(number)).await.unwrap();
        }
        for number in 0..20 {
            assert_eq!(b.receive().await.unwrap().unwrap(), frame(number));
        }
        let taken = sim.elapsed() - start;
        assert!(taken > Duration::from_millis(200), "{taken:?}");
    });
}

#[test]
fn a_transport_can_be_made_to_repeat_itself() {
    World::new(12, 2).run(|sim| async move {
        let ((mut a, _a), (_b, mut b)) = connect(&sim).await;
        sim.network().set_repeating(100);
        a.send(frame(1)).await.unwrap();
        assert_eq!(b.receive().await.unwrap().unwrap(), frame(1));
        assert_eq!(b.receive().await.unwrap().unwrap(), frame(1));
    });
}

#[test]
fn a_sender_waits_for_a_slow_reader() {
    World::new(7, 2).run(|sim| async move {
        let ((mut a, _), (_, mut b)) = connect(&sim).await;
        let large = Bytes::from(vec![0; 300_000]);
        let mut sent = 0;
        while SimRuntime::timeout(SECOND, a.send(large.clone()))
            .await
            .is_ok()
        {
            sent += 1;
        }
        assert_eq!(sent, 3, "what the window takes");
        b.receive().await.unwrap().unwrap();
        SimRuntime::timeout(SECOND, a.send(large))
            .await
            .unwrap()
            .unwrap();
    });
}

#[test]
fn slow_links_are_slow_and_huge_frames_are_refused() {
    World::new(8, 2).run(|sim| async move {
        let ((mut a, _), (_, mut b)) = connect(&sim).await;
        sim.network().set_delay(A, B, 3 * SECOND..4 * SECOND);
        a.send(frame(1)).await.unwrap();
        assert!(receive_within(&mut b, 2 * SECOND).await.is_none());
        assert!(receive_within(&mut b, 2 * SECOND).await.is_some());
        let huge = a
            .send(Bytes::from(vec![0; FRAME_MAX_BYTES + 1]))
            .await
            .unwrap_err();
        assert_eq!(huge.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn clocks_differ_by_node_and_run_on() {
    World::new(9, 2).run(|sim| async move {
        sim.set_clock_offset_ms(A, -5_000);
        let ahead = sim
            .start(B, |_| async { SimRuntime::wall_clock_ms() })
            .await
            .unwrap();
        let behind = sim
            .start(A, |_| async { SimRuntime::wall_clock_ms() })
            .await
            .unwrap();
        assert_eq!(ahead - behind, 5_000);
        sim.sleep(SECOND).await;
        let later = sim
            .on(B, async { SimRuntime::wall_clock_ms() })
            .await
            .unwrap();
        assert_eq!(later - ahead, 1_000);
    });
}
