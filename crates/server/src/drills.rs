//! Drills: failures that an administrator makes this node have, each for a time.
//!
//! A drill is the node's own and no part of the replicated state: it must work on a node that
//! nobody else can reach, and must be over when the node starts again. It ends by itself; nobody
//! has to come back for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::types::{Drill, DrillFault, NewDrill};
use engine::production::{anew, hardship};
use engine::{ClusterStatus, Engine, Harm, Role, When};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::app::now_ms;
use crate::problem::{Kind, Trouble};
use crate::render::rfc3339;

/// Nobody waits longer before a class, and a forgotten drill does no more harm than this.
const SECONDS_MAX: u32 = 120;

/// What is not told before: long enough for a frame to look lost, not for a link to look dead.
const DELAY_DEFAULT_MS: u32 = 200;

/// Longer than every timeout between nodes, so more would show nothing new.
const DELAY_MAX_MS: u32 = 5_000;

/// Ahead by ten times what clocks may differ.
const SKEW_DEFAULT_MS: i32 = 600_000;

const SKEW_MAX_MS: i32 = 24 * 3_600_000;

/// Drills that are remembered.
const PAST_MAX: usize = 50;

/// Between the answer and the end of the process: the answer must get out.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The drills of this node.
#[derive(Clone, Default)]
pub(crate) struct Drills(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    begun: u64,
    running: Option<Running>,
    past: VecDeque<Drill>,
}

struct Running {
    drill: Drill,
    stopped: CancellationToken,
}

impl Drills {
    /// What lasts now, and what is over, newest first.
    pub fn all(&self) -> (Option<Drill>, Vec<Drill>) {
        let kept = self.kept();
        let running = kept.running.as_ref().map(|running| running.drill.clone());
        (running, kept.past.iter().cloned().collect())
    }

    /// Makes something fail, until the time is over or [`Drills::stop`].
    pub async fn begin(&self, engine: &Engine, new: &NewDrill) -> Result<Drill, Trouble> {
        check(new)?;
        if matches!(new.fault, DrillFault::Kill | DrillFault::Pause) && !hardship::is_mortal() {
            let detail = "this node is the first process of its container, which nothing within \
                          can kill or stop: do it from outside";
            return Err(Trouble::new(Kind::DrillRefused, detail));
        }
        let status = engine.status();
        if !new.confirmed {
            check_majority(&status, new)?;
        }
        let stopped = CancellationToken::new();
        let drill = self.enter(&status, new, &stopped)?;
        self.end_in_time(engine, &drill, stopped.clone());
        if let Err(refused) = install(engine, new, &stopped).await {
            self.kept().running.take_if(|it| it.drill.id == drill.id);
            stopped.cancel();
            return Err(refused);
        }
        let Drill {
            id, fault, seconds, ..
        } = &drill;
        tracing::warn!(id, ?fault, seconds, "a drill begins");
        Ok(drill)
    }

    fn end_in_time(&self, engine: &Engine, drill: &Drill, stopped: CancellationToken) {
        let (drills, engine, id) = (self.clone(), engine.clone(), drill.id);
        let lasts = Duration::from_secs(drill.seconds.into());
        tokio::spawn(async move {
            let early = stopped.run_until_cancelled(tokio::time::sleep(lasts)).await;
            drills.end(&engine, id, early.is_none());
        });
    }

    /// Takes the place of the one that lasts, if none does.
    fn enter(
        &self,
        status: &ClusterStatus,
        new: &NewDrill,
        stopped: &CancellationToken,
    ) -> Result<Drill, Trouble> {
        let mut kept = self.kept();
        if let Some(running) = &kept.running {
            let detail = format!("drill {} lasts still: stop it first", running.drill.id);
            return Err(Trouble::new(Kind::DrillRefused, detail));
        }
        kept.begun += 1;
        let drill = Drill {
            id: kept.begun,
            node: status.node.to_string(),
            fault: new.fault,
            peers: new.peers.clone(),
            begun_at: rfc3339(now_ms()),
            seconds: new.seconds,
            ended_at: None,
            stopped: false,
        };
        kept.running = Some(Running {
            drill: drill.clone(),
            stopped: stopped.clone(),
        });
        Ok(drill)
    }

    /// Ends what lasts, if anything does.
    pub fn stop(&self, engine: &Engine) {
        let running = {
            let kept = self.kept();
            let running = kept.running.as_ref();
            running.map(|running| (running.drill.id, running.stopped.clone()))
        };
        if let Some((id, stopped)) = running {
            stopped.cancel();
            // Whoever comes back after this answer finds it over.
            self.end(engine, id, true);
        }
    }

    /// Ends this drill; another may last by the time that somebody hears of its end.
    fn end(&self, engine: &Engine, id: u64, stopped: bool) {
        let mut kept = self.kept();
        let ended = kept.running.take_if(|running| running.drill.id == id);
        let Some(Running { mut drill, .. }) = ended else {
            return;
        };
        heal(engine);
        drill.ended_at = Some(rfc3339(now_ms()));
        drill.stopped = stopped;
        let Drill { id, fault, .. } = &drill;
        tracing::warn!(id, ?fault, stopped, "a drill is over");
        kept.past.push_front(drill);
        kept.past.truncate(PAST_MAX);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(new: &NewDrill) -> Result<(), Trouble> {
    use DrillFault::{ClockSkew, Partition, SlowDisk, SlowLink};
    let linked = matches!(new.fault, Partition | SlowLink);
    match new {
        _ if !(1..=SECONDS_MAX).contains(&new.seconds) => {
            Err(Trouble::field("seconds", format!("1 to {SECONDS_MAX}")))
        }
        _ if new.fault == Partition && new.peers.is_empty() => {
            Err(Trouble::field("peers", "name the nodes to be parted from"))
        }
        _ if !linked && !new.peers.is_empty() => {
            Err(Trouble::field("peers", "only with partition and slow-link"))
        }
        NewDrill {
            delay_ms: Some(delay),
            ..
        } if !matches!(new.fault, SlowLink | SlowDisk) || !(1..=DELAY_MAX_MS).contains(delay) => {
            let reason = format!("1 to {DELAY_MAX_MS}, and only with slow-link and slow-disk");
            Err(Trouble::field("delay_ms", reason))
        }
        NewDrill {
            skew_ms: Some(skew),
            ..
        } if new.fault != ClockSkew || skew.unsigned_abs() > SKEW_MAX_MS.unsigned_abs() => {
            let reason = "at most a day either way, and only with clock-skew";
            Err(Trouble::field("skew_ms", reason))
        }
        _ => Ok(()),
    }
}

/// Whether the voters that are left without this node are a majority.
fn check_majority(status: &ClusterStatus, new: &NewDrill) -> Result<(), Trouble> {
    use DrillFault::{ClockSkew, Corrupt, FullDisk, Kill, Partition, Pause, PlayDead};
    use DrillFault::{SlowDisk, SlowLink, Wipe};
    match new.fault {
        Kill | Pause | PlayDead | Partition | FullDisk => {}
        // They are asked themselves, at this moment, when it begins.
        Wipe | Corrupt => return Ok(()),
        SlowLink | SlowDisk | ClockSkew => return Ok(()),
    }
    let voters = || {
        let nodes = status.nodes.iter();
        nodes.filter(|node| node.role != Role::Learner)
    };
    let left = voters().filter(|node| node.healthy && *node.name != *status.node);
    let (left, needed) = (left.count(), voters().count() / 2 + 1);
    if left >= needed {
        return Ok(());
    }
    let detail = format!(
        "without this node {left} healthy voters are left, and {needed} are needed: nobody could \
         write meanwhile; say \"confirmed\" if that is what you want to see"
    );
    Err(Trouble::new(Kind::DrillRefused, detail))
}

async fn install(
    engine: &Engine,
    new: &NewDrill,
    stopped: &CancellationToken,
) -> Result<(), Trouble> {
    let delay = Duration::from_millis(new.delay_ms.unwrap_or(DELAY_DEFAULT_MS).into());
    let lasts = Duration::from_secs(new.seconds.into());
    match new.fault {
        DrillFault::Kill => later(stopped, hardship::kill),
        DrillFault::Pause => later(stopped, move || hardship::pause(lasts)),
        DrillFault::PlayDead => harm(engine, Harm::Cut, &[])?,
        DrillFault::Partition => harm(engine, Harm::Cut, &new.peers)?,
        DrillFault::SlowLink => harm(engine, Harm::Slow(delay), &new.peers)?,
        DrillFault::SlowDisk => hardship::slow_disk(delay),
        DrillFault::FullDisk => hardship::fill_disk(true),
        DrillFault::ClockSkew => {
            hardship::skew_clock(new.skew_ms.unwrap_or(SKEW_DEFAULT_MS).into());
        }
        DrillFault::Wipe | DrillFault::Corrupt => begin_anew(engine, new, stopped).await?,
    }
    Ok(())
}

/// Has the node begin anew: in any case, or if it notices that its log was damaged. One that comes
/// back as the one that it was has noticed nothing, and everybody sees it.
async fn begin_anew(
    engine: &Engine,
    new: &NewDrill,
    stopped: &CancellationToken,
) -> Result<(), Trouble> {
    let (answer, answered) = oneshot::channel();
    let (engine, stopped) = (engine.clone(), stopped.clone());
    let (corrupt, confirmed) = (new.fault == DrillFault::Corrupt, new.confirmed);
    // By itself: whoever asked may go, and it must not stay half done.
    tokio::spawn(async move {
        let when = if corrupt { When::Damaged } else { When::Always };
        let ordered = engine.order_rebuild(when, confirmed).await;
        let refused = ordered.is_err();
        // Nobody may wait for it any more.
        drop(answer.send(ordered));
        if refused {
            return;
        }
        let words_are_out = tokio::time::sleep(LAST_WORDS);
        let go = stopped.run_until_cancelled(words_are_out).await.is_some();
        if go && (!corrupt || corrupt_log(&engine).await) {
            let error = anew::begin_anew();
            tracing::error!(%error, "a drill could not be carried out");
        }
        engine.withdraw_rebuild().await;
    });
    let gone = || Trouble::new(Kind::DrillRefused, "the node is stopping");
    Ok(answered.await.map_err(|_| gone())??)
}

async fn corrupt_log(engine: &Engine) -> bool {
    match engine.corrupt_log().await {
        Ok(Some(flipped)) => {
            let (file, offset) = (flipped.file.display(), flipped.offset);
            tracing::warn!(%file, offset, "a byte of the log is flipped");
            true
        }
        Ok(None) => {
            tracing::error!("the log is too short to be damaged");
            false
        }
        Err(error) => {
            tracing::error!(%error, "the log could not be damaged");
            false
        }
    }
}

fn harm(engine: &Engine, harm: Harm, peers: &[String]) -> Result<(), Trouble> {
    let harmed = engine.harm_links(harm, peers);
    harmed.map_err(|unknown| Trouble::field("peers", unknown.to_string()))
}

fn later(stopped: &CancellationToken, blow: impl FnOnce() -> std::io::Result<()> + Send + 'static) {
    let stopped = stopped.clone();
    tokio::spawn(async move {
        let answered = tokio::time::sleep(LAST_WORDS);
        if stopped.run_until_cancelled(answered).await.is_none() {
            return;
        }
        if let Err(error) = blow() {
            tracing::error!(%error, "a drill could not be carried out");
        }
    });
}

fn heal(engine: &Engine) {
    engine.heal_links();
    hardship::slow_disk(Duration::ZERO);
    hardship::fill_disk(false);
    hardship::skew_clock(0);
}
