//! The processes of a simulation, and what they find.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Plan;
use super::worker::{Done, Job, Told};
use crate::failure::{Failure, Outcome};

/// A seed that takes longer than this hangs: most take less than a second, on any machine.
const SEED_MAX: Duration = Duration::from_secs(120);

/// Violations after which no more seeds are begun: they will be the same bug.
const FAILED_MAX: usize = 20;

/// How often the line of progress is drawn anew.
const TICK: Duration = Duration::from_millis(500);

/// What all seeds came to.
#[derive(Debug, Default)]
pub struct Tally {
    pub seeds: u64,
    pub operations: u64,
    pub elections: u64,
    pub crashes: u64,
    pub snapshots: u64,
    pub looked_for: u64,
    pub faults: BTreeMap<String, u64>,
    pub simulated_s: f64,
    /// The sum of the hashes over what happened.
    pub trace: u64,
    pub failed: Vec<Failed>,
}

/// A seed with a violation.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    pub seed: u64,
    pub nodes: u32,
    /// The bug that was planted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bug: Option<String>,
    /// The violation.
    pub what: String,
    /// Whether a second run of the seed was the same.
    pub repeats: bool,
}

impl Failed {
    /// How to run it again.
    pub fn again(&self) -> String {
        let Failed { seed, nodes, .. } = self;
        let bug = self.bug.iter().map(|bug| format!(" --bug {bug}"));
        let bug: String = bug.collect();
        format!("consorcio simulate --seed {seed} --nodes {nodes}{bug} --verbose")
    }
}

/// All jobs together.
pub struct Crew {
    plan: Plan,
    /// How many seeds have been begun.
    begun: AtomicU64,
    tally: Mutex<Tally>,
    progress: ProgressBar,
}

impl Crew {
    pub fn new(plan: Plan) -> Self {
        // It draws on standard error, and only if that is a terminal.
        let progress = match plan.verbose {
            true => ProgressBar::hidden(),
            false if plan.seeds == u64::MAX => ProgressBar::no_length(),
            false => ProgressBar::new(plan.seeds),
        };
        let template = "{pos} of {len} seeds, {per_sec}, {elapsed} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            progress.set_style(style);
        }
        progress.enable_steady_tick(TICK);
        Crew {
            plan,
            begun: AtomicU64::new(0),
            tally: Mutex::default(),
            progress,
        }
    }

    /// Runs all seeds.
    pub fn run(self) -> Outcome<Tally> {
        let ended = std::thread::scope(|scope| {
            let jobs: Vec<_> = (0..self.plan.jobs)
                .map(|_| scope.spawn(|| self.work()))
                .collect();
            let ended = jobs.into_iter().map(|job| match job.join() {
                Ok(ended) => ended,
                Err(_) => Err(Failure::failed("a job of the simulation panicked")),
            });
            ended.collect::<Outcome<Vec<()>>>()
        });
        self.progress.finish_and_clear();
        ended?;
        let mut tally = self
            .tally
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        tally.failed.sort_by_key(|failed| failed.seed);
        Ok(tally)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next seed, if there is time.
    fn next(&self) -> Option<Job> {
        let late = self.plan.until.is_some_and(|until| Instant::now() >= until);
        if late || self.tally().failed.len() >= FAILED_MAX {
            return None;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let seed = self.plan.first.checked_add(number)?;
        (number < self.plan.seeds).then(|| Job {
            seed,
            nodes: self.plan.nodes(seed),
            bug: self.plan.bug.map(|bug| bug.name().to_owned()),
        })
    }

    /// One job: a process, and another one when it dies.
    fn work(&self) -> Outcome {
        let mut worker = Worker::start(self.plan.verbose)?;
        while let Some(job) = self.next() {
            match worker.ask(&job) {
                Ok(done) if done.violation.is_none() => self.count(&done),
                Ok(done) => {
                    let again = worker.ask(&job);
                    let repeats = again.is_ok_and(|again| again == done);
                    self.count(&done);
                    self.blame(&job, done.violation, repeats);
                }
                Err(how) => {
                    let what = format!("the process of the seed {how}");
                    let story = Vec::new();
                    self.tally().seeds += 1;
                    self.blame(&job, Some(Told { what, story }), false);
                }
            }
            if worker.is_lost {
                worker = Worker::start(self.plan.verbose)?;
            }
        }
        Ok(())
    }

    fn count(&self, done: &Done) {
        let mut tally = self.tally();
        tally.seeds += 1;
        tally.operations += done.operations;
        tally.elections += done.elections;
        tally.crashes += done.crashes;
        tally.snapshots += done.snapshots;
        tally.looked_for += done.looked_for;
        for (fault, count) in &done.faults {
            *tally.faults.entry(fault.clone()).or_default() += count;
        }
        tally.simulated_s += done.simulated_s;
        tally.trace = tally.trace.wrapping_add(done.trace);
        self.progress.inc(1);
    }

    /// Tells of a violation on standard error.
    fn blame(&self, job: &Job, violation: Option<Told>, repeats: bool) {
        let Some(Told { what, story }) = violation else {
            return;
        };
        let failed = Failed {
            seed: job.seed,
            nodes: job.nodes,
            bug: job.bug.clone(),
            what,
            repeats,
        };
        let again = match repeats {
            true => "it repeats",
            false => "a second run was not the same",
        };
        let text = format!(
            "seed {}, {} nodes\n{}\nviolation: {}\n{again}: {}\n",
            job.seed,
            job.nodes,
            story.join("\n"),
            failed.what,
            failed.again()
        );
        self.progress.suspend(|| eprintln!("{text}"));
        let mut tally = self.tally();
        tally.failed.push(failed);
        self.progress
            .set_message(format!("{} with a violation", tally.failed.len()));
    }
}

/// A process that runs one seed after the other.
struct Worker {
    process: Child,
    seeds: Option<ChildStdin>,
    answers: Receiver<io::Result<String>>,
    /// True once it is of no more use.
    is_lost: bool,
}

impl Worker {
    fn start(verbose: bool) -> Outcome<Self> {
        let cannot = |error| Failure::failed(format!("a process cannot be started: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
        command.args(["simulate", "--worker"]);
        if verbose {
            command.arg("--verbose");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(cannot)?;
        let seeds = process.stdin.take();
        let (sender, answers) = mpsc::channel();
        if let Some(out) = process.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines() {
                    // Nobody waits for an answer that comes too late.
                    drop(sender.send(line));
                }
            });
        }
        Ok(Worker {
            process,
            seeds,
            answers,
            is_lost: false,
        })
    }

    /// Has a seed run; an error says how that ended instead.
    fn ask(&mut self, job: &Job) -> Result<Done, String> {
        let answered = self.exchange(job);
        self.is_lost |= answered.is_err();
        answered
    }

    fn exchange(&mut self, job: &Job) -> Result<Done, String> {
        let line = serde_json::to_string(job).map_err(|error| error.to_string())?;
        let seeds = self.seeds.as_mut().ok_or("takes no seeds")?;
        // If it is gone, the answer that does not come says so.
        drop(writeln!(seeds, "{line}").and_then(|()| seeds.flush()));
        let answer = match self.answers.recv_timeout(SEED_MAX) {
            Ok(answer) => answer.map_err(|error| error.to_string())?,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(format!("did not end in {} s", SEED_MAX.as_secs()));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let ended = self.process.wait().map_err(|error| error.to_string())?;
                return Err(format!("died: {ended}"));
            }
        };
        serde_json::from_str(&answer).map_err(|_| format!("answered {answer:?}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has no seeds left ends by itself.
        drop(self.seeds.take());
        if self.is_lost {
            drop(self.process.kill());
        }
        drop(self.process.wait());
    }
}
