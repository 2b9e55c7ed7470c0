//! What befalls a cluster in a storm. Faults pile up until all is made good again.

use std::time::Duration;

use openraft_rt::AsyncRuntime;

use super::Storming;
use super::logs::StoredLog;
use crate::context::{NodeId, lock};
use crate::disk::Crash;
use crate::net::DELAY;
use crate::runtime::SimRuntime;

/// How far a wall clock may be off: replies to requests are kept for a day, and no longer.
const CLOCK_MAX_MS: u64 = 6 * 3_600_000;

/// Room that a full disk still has: for some entries, or for none.
const ROOM_MAX_BYTES: u64 = 100_000;

/// How long a paused node stands still, at most: longer than an election takes.
const PAUSE_MAX: Duration = Duration::from_millis(2_500);

/// How long connections stand still, at most: some are given up meanwhile, some are not.
const STALL_MAX: Duration = Duration::from_secs(4);

/// A crash that was to come soon comes after this time at the latest.
const SOON_MAX: Duration = Duration::from_secs(1);

/// How often a flapping link is cut and healed.
const FLAPS: u32 = 6;

/// A sync that is slow, work that waits for a slow disk, a slow link.
const SLOW: std::ops::Range<Duration> = Duration::from_millis(20)..Duration::from_millis(400);

/// A sync that is quick.
const QUICK: std::ops::Range<Duration> = Duration::from_micros(50)..Duration::from_millis(3);

/// How long a node that is set back stays away, so that logs are purged meanwhile.
const AWAY: std::ops::Range<Duration> = Duration::from_secs(2)..Duration::from_secs(5);

/// Within so many changes of its disk a node that is set back crashes once more.
const SET_BACK_CHANGES: u64 = 120;

/// All faults, and how often each is chosen.
const FAULTS: [(u64, Fault); 23] = [
    (4, Fault::Crash),
    (4, Fault::CrashLeader),
    (3, Fault::Blackout),
    (2, Fault::Stop),
    (2, Fault::Pause),
    (2, Fault::PauseLeader),
    (3, Fault::Partition),
    (2, Fault::Halves),
    (2, Fault::OneWay),
    (1, Fault::Deaf),
    (1, Fault::Mute),
    (1, Fault::Flapping),
    (2, Fault::Reset),
    (2, Fault::Stall),
    (2, Fault::Loss),
    (2, Fault::SlowLink),
    (2, Fault::Clock),
    (2, Fault::SlowDisk),
    (2, Fault::FullDisk),
    (1, Fault::FailingDisk),
    (2, Fault::SetBack),
    (2, Fault::Disk),
    (3, Fault::Members),
];

/// Something bad, or something that must work while bad things happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A node crashes, now or in the middle of one of its next changes of its disk.
    Crash,
    /// The leader does.
    CrashLeader,
    /// All nodes lose their power at once.
    Blackout,
    /// A node is stopped as an operator stops it.
    Stop,
    /// A node stands still for a while.
    Pause,
    /// The leader does.
    PauseLeader,
    /// A node is cut off from all others.
    Partition,
    /// Some nodes are cut off from the others.
    Halves,
    /// Nothing gets from one node to another.
    OneWay,
    /// A node hears nobody.
    Deaf,
    /// Nobody hears a node.
    Mute,
    /// A node is cut off and comes back, several times.
    Flapping,
    /// The connections between two nodes break.
    Reset,
    /// The connections from one node to another stand still; new ones do not.
    Stall,
    /// Frames are lost on the way and sent again.
    Loss,
    /// A link is slow.
    SlowLink,
    /// A wall clock jumps.
    Clock,
    /// A disk is slow.
    SlowDisk,
    /// A disk is full.
    FullDisk,
    /// A disk reports an error.
    FailingDisk,
    /// A node is away until it needs a snapshot, and crashes again when it is back.
    SetBack,
    /// A disk is lost, or a byte of a log is damaged.
    Disk,
    /// A node joins, or is removed.
    Members,
}

impl Storming {
    /// Something bad happens.
    pub(super) async fn strike(&self) {
        let total = FAULTS.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.sim().roll(|dice| dice.below(total));
        let chosen = FAULTS.iter().find(|(weight, _)| {
            let found = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            found
        });
        let Some((_, fault)) = chosen else { return };
        let members = self.members();
        let node = self.sim().roll(|dice| *dice.pick(&members));
        let others: Vec<NodeId> = members.into_iter().filter(|n| *n != node).collect();
        let other = self.sim().roll(|dice| *dice.pick(&others));
        self.befall(*fault, node, other, &others).await;
    }

    async fn befall(&self, fault: Fault, node: NodeId, other: NodeId, others: &[NodeId]) {
        self.note(fault, node, other);
        match fault {
            Fault::Crash => self.crash_somehow(node).await,
            Fault::CrashLeader => self.crash_somehow(self.leader_or(node)).await,
            Fault::Blackout => self.blackout(),
            Fault::Stop => self.stop(node),
            Fault::Pause => self.pause(node),
            Fault::PauseLeader => self.pause(self.leader_or(node)),
            Fault::Clock => self.jump(node),
            Fault::SlowDisk => self.slow_down(node),
            Fault::FullDisk => self.fill_up(node),
            Fault::FailingDisk => self.fail_syncs(node),
            Fault::SetBack => self.set_back(node),
            Fault::Disk => self.harm(node),
            Fault::Members => self.change_members(node),
            _ => self.trouble_the_network(fault, node, other, others),
        }
    }

    fn trouble_the_network(&self, fault: Fault, node: NodeId, other: NodeId, others: &[NodeId]) {
        let network = self.sim().network();
        match fault {
            Fault::Partition => network.partition(&[node], others),
            Fault::Halves => {
                let one_side = |dice: &mut crate::dice::Dice| {
                    let side = others.iter().copied();
                    side.partition::<Vec<NodeId>, _>(|_| dice.one_in(2))
                };
                let (mut side, rest) = self.sim().roll(one_side);
                side.push(node);
                network.partition(&side, &rest);
            }
            Fault::OneWay => network.cut(node, other),
            Fault::Deaf => others.iter().for_each(|other| network.cut(*other, node)),
            Fault::Mute => others.iter().for_each(|other| network.cut(node, *other)),
            Fault::Flapping => self.flap(node, others.to_vec()),
            Fault::Reset => network.reset(node, other),
            Fault::Stall => network.stall(node, other, self.for_a_while(STALL_MAX)),
            Fault::Loss => {
                let percent = self.sim().roll(|dice| 1 + dice.below(40));
                network.set_loss(node, other, percent);
                network.set_loss(other, node, percent);
            }
            _ => network.set_delay(node, other, SLOW),
        }
    }

    fn note(&self, fault: Fault, node: NodeId, other: NodeId) {
        let name = name_of(fault);
        self.book
            .count(|counts| *counts.faults.entry(name).or_default() += 1);
        match fault {
            Fault::Blackout => self.book.say("fault: blackout"),
            Fault::OneWay | Fault::Reset | Fault::Stall | Fault::Loss | Fault::SlowLink => {
                self.book.say(format!("fault: {name}, {node} to {other}"));
            }
            _ => self.book.say(format!("fault: {name}, {node}")),
        }
    }

    fn for_a_while(&self, at_most: Duration) -> Duration {
        self.sim()
            .roll(|dice| dice.within(&(at_most / 20..at_most)))
    }

    /// The node that leads as it says itself, or another.
    fn leader_or(&self, node: NodeId) -> NodeId {
        let leads = |node: &NodeId| {
            self.cluster.running(*node).is_some_and(|running| {
                let status = running.status();
                status.leader.as_deref() == Some(&*status.node)
            })
        };
        self.members().into_iter().find(leads).unwrap_or(node)
    }

    async fn crash_somehow(&self, node: NodeId) {
        if self.sim().is_up(node) {
            self.sim().crash_somehow(node, SOON_MAX).await;
            self.cluster.crash(node, Crash::KillOnly);
            self.book.say(format!("{node} has crashed"));
            self.book.count(|counts| counts.crashes += 1);
        }
    }

    /// Some come back at once, some when all is made good.
    fn blackout(&self) {
        for node in self.sim().nodes() {
            self.crash(node, self.sim().roll(Crash::any));
        }
        if self.sim().roll(|dice| dice.one_in(2)) {
            self.start_all();
        }
    }

    fn stop(&self, node: NodeId) {
        let this = self.clone();
        drop(SimRuntime::spawn(async move {
            this.cluster.stop(node).await;
            this.book.say(format!("{node} has stopped"));
        }));
    }

    fn pause(&self, node: NodeId) {
        let (this, duration) = (self.clone(), self.for_a_while(PAUSE_MAX));
        self.sim().pause(node);
        drop(SimRuntime::spawn(async move {
            SimRuntime::sleep(duration).await;
            this.book.say(format!("{node} goes on"));
            this.sim().resume(node);
        }));
    }

    fn flap(&self, node: NodeId, others: Vec<NodeId>) {
        let this = self.clone();
        drop(SimRuntime::spawn(async move {
            for _ in 0..FLAPS {
                this.sim().network().partition(&[node], &others);
                SimRuntime::sleep(this.for_a_while(PAUSE_MAX / 4)).await;
                for other in &others {
                    this.sim().network().heal(node, *other);
                    this.sim().network().heal(*other, node);
                }
                SimRuntime::sleep(this.for_a_while(PAUSE_MAX / 4)).await;
            }
        }));
    }

    fn jump(&self, node: NodeId) {
        let ahead = self.sim().roll(|dice| {
            let width = if dice.one_in(3) { CLOCK_MAX_MS } else { 20_000 };
            dice.below(width) as i64 - (width / 2) as i64
        });
        self.sim().set_clock_offset_ms(node, ahead);
    }

    fn slow_down(&self, node: NodeId) {
        let disk = self.sim().disk(node);
        disk.set_sync_time(SLOW);
        if self.sim().roll(|dice| dice.one_in(2)) {
            disk.set_queue_time(SLOW);
        }
    }

    fn fill_up(&self, node: NodeId) {
        let room = self.sim().roll(|dice| dice.below(ROOM_MAX_BYTES));
        let disk = self.sim().disk(node);
        lock(&self.fleet).is_filled(node);
        disk.set_capacity_bytes(Some(disk.used_bytes() + room));
    }

    fn fail_syncs(&self, node: NodeId) {
        lock(&self.fleet).failing.insert(node);
        self.sim().disk(node).fail_syncs();
    }

    /// The node is down while the others write on, and comes back to a snapshot, in the middle of
    /// which it may crash.
    fn set_back(&self, node: NodeId) {
        let this = self.clone();
        let away = self.sim().roll(|dice| dice.within(&AWAY));
        self.crash(node, self.sim().roll(Crash::any));
        drop(SimRuntime::spawn(async move {
            SimRuntime::sleep(away).await;
            if this.members().contains(&node) && !this.sim().is_up(node) {
                this.start_all();
                let (k, crash) = this.sim().roll(|dice| {
                    let k = 1 + dice.below(SET_BACK_CHANGES);
                    (k, Crash::any(dice))
                });
                this.sim().disk(node).crash_at(k, crash);
            }
        }));
    }

    /// Takes a disk, or a byte of it: only from a cluster that is whole, and one at a time.
    fn harm(&self, node: NodeId) {
        let calm = lock(&self.fleet).is_calm();
        if !calm || self.members().len() < 3 || !self.is_whole() {
            return self.book.say("the disks are spared");
        }
        self.crash(node, self.sim().roll(Crash::any));
        if self.sim().roll(|dice| dice.one_in(2)) {
            return self.rebuild(node);
        }
        let disk = self.sim().disk(node);
        disk.power_on();
        let guarded = StoredLog::read(disk).guarded;
        disk.power_off(Crash::KillOnly);
        if guarded.is_empty() {
            return;
        }
        let (path, bytes) = self.sim().roll(|dice| dice.pick(&guarded).clone());
        let at = bytes.start + self.sim().roll(|dice| dice.below(bytes.end - bytes.start));
        if disk.flip_byte(&path, at).is_ok() {
            self.book
                .say(format!("a byte of {} is damaged at {at}", path.display()));
            lock(&self.fleet).spoiled.insert(node);
        }
    }

    /// A spare node joins, or a member is removed, as there are.
    fn change_members(&self, node: NodeId) {
        let members = self.members();
        let mut spares = self.sim().nodes();
        spares.retain(|node| !members.contains(node) && !self.sim().is_up(*node));
        // A cluster that loses a disk while it gets smaller has lost more than a minority.
        let calm = lock(&self.fleet).is_calm();
        let may_remove = calm && members.len() > self.nodes as usize - 1;
        match spares.first() {
            Some(spare) if !may_remove || self.sim().roll(|dice| dice.one_in(2)) => {
                self.join(*spare);
            }
            _ if may_remove => {
                let this = self.clone();
                lock(&self.fleet).removing = Some(node);
                drop(SimRuntime::spawn(async move { this.remove(node).await }));
            }
            _ => {}
        }
    }

    /// Everything works again.
    pub(super) fn make_good(&self) {
        self.book.say("all is made good");
        let nodes = self.sim().nodes();
        for node in &nodes {
            let disk = self.sim().disk(*node);
            disk.set_sync_time(QUICK);
            disk.set_queue_time(Duration::ZERO..Duration::ZERO);
            disk.set_capacity_bytes(None);
            disk.crash_never();
            self.sim().resume(*node);
            for other in &nodes {
                self.sim().network().set_delay(*node, *other, DELAY);
                self.sim().network().set_loss(*node, *other, 0);
            }
        }
        lock(&self.fleet).are_emptied();
        self.sim().network().heal_all();
        self.start_all();
    }
}

/// What a fault is called.
fn name_of(fault: Fault) -> &'static str {
    match fault {
        Fault::Crash => "crash",
        Fault::CrashLeader => "crash of the leader",
        Fault::Blackout => "blackout",
        Fault::Stop => "stop",
        Fault::Pause => "pause",
        Fault::PauseLeader => "pause of the leader",
        Fault::Partition => "partition",
        Fault::Halves => "halves",
        Fault::OneWay => "one-way cut",
        Fault::Deaf => "deaf",
        Fault::Mute => "mute",
        Fault::Flapping => "flapping",
        Fault::Reset => "reset",
        Fault::Stall => "stall",
        Fault::Loss => "loss",
        Fault::SlowLink => "slow link",
        Fault::Clock => "clock",
        Fault::SlowDisk => "slow disk",
        Fault::FullDisk => "full disk",
        Fault::FailingDisk => "failing disk",
        Fault::SetBack => "set back",
        Fault::Disk => "disk lost or damaged",
        Fault::Members => "change of members",
    }
}
