//! What fails when: from the command line, or from a file.

use std::convert::Infallible;
use std::path::Path;
use std::str::FromStr;

use api::types::DrillFault;
use serde::Deserialize;

use crate::failure::{Failure, Outcome};

/// When the only step begins: after enough of the load to compare with.
pub const FIRST_AT: f64 = 2.0;

/// A lesson, not a day.
const AT_MAX: f64 = 3_600.0;

/// Seconds after which the others miss a node whose process ended, unless it is back.
const MISSED_AFTER: u32 = 3;

const STEPS_MAX: usize = 200;

/// Steps, in the order of their times.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
    /// Go on where no majority would be left.
    #[serde(skip)]
    pub confirmed: bool,
}

/// One fault at one or all nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Seconds from the start of the load.
    pub at: f64,
    pub fault: DrillFault,
    #[serde(default)]
    pub on: Target,
    #[serde(default = "seconds_default")]
    pub seconds: u32,
    #[serde(default)]
    pub peers: Vec<String>,
    #[serde(default)]
    pub delay_ms: Option<u32>,
    #[serde(default)]
    pub skew_ms: Option<i32>,
}

/// Where something fails; who that is, is found out when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Target {
    #[default]
    Leader,
    Follower,
    Random,
    All,
    Named(String),
}

fn seconds_default() -> u32 {
    5
}

impl From<String> for Target {
    fn from(text: String) -> Self {
        match text.as_str() {
            "leader" => Target::Leader,
            "follower" => Target::Follower,
            "random" => Target::Random,
            "all" => Target::All,
            _ => Target::Named(text),
        }
    }
}

impl FromStr for Target {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned().into())
    }
}

impl Schedule {
    /// Reads steps from a TOML file.
    pub fn read(path: &Path) -> Outcome<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
        Schedule::parse(&text).map_err(|reason| Failure::usage(format!("{name}: {reason}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut schedule: Schedule =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let steps = &mut schedule.steps;
        match steps.len() {
            0 => return Err("there is no [[step]]".to_owned()),
            1..=STEPS_MAX => {}
            many => return Err(format!("{many} steps are more than {STEPS_MAX}")),
        }
        if let Some(step) = steps.iter().find(|step| !(0.0..=AT_MAX).contains(&step.at)) {
            return Err(format!("at = {} is not within 0 and {AT_MAX}", step.at));
        }
        steps.sort_by(|one, other| one.at.total_cmp(&other.at));
        Ok(schedule)
    }

    /// When the last fault is over, in seconds from the start of the load.
    pub fn ends_at(&self) -> f64 {
        let ends = self.steps.iter().map(|step| {
            let lasts = match step.fault.is_a_blow() {
                true => MISSED_AFTER,
                false => step.seconds,
            };
            step.at + f64::from(lasts)
        });
        ends.fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn steps_come_in_the_order_of_their_times() {
        let text = "
            [[step]]
            at = 9
            fault = 'kill'
            seconds = 60
            [[step]]
            at = 2.5
            fault = 'slow-link'
            on = 'n2'
            seconds = 4
            peers = ['n1']
            delay_ms = 50";
        let schedule = Schedule::parse(text).unwrap();
        let [slow, kill] = &schedule.steps[..] else {
            unreachable!("two steps");
        };
        assert_eq!((slow.fault, slow.seconds), (DrillFault::SlowLink, 4));
        assert_eq!(slow.on, Target::Named("n2".to_owned()));
        assert_eq!(
            (kill.fault, kill.on.clone()),
            (DrillFault::Kill, Target::Leader)
        );
        assert!((schedule.ends_at() - 12.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        for (text, reason) in [
            ("", "there is no [[step]]"),
            (
                "[[step]]\nat = 1\nfault = 'flood'",
                "unknown variant `flood`",
            ),
            ("[[step]]\nfault = 'kill'", "missing field `at`"),
            (
                "[[step]]\nat = -1\nfault = 'kill'",
                "at = -1 is not within 0",
            ),
            (
                "[[step]]\nat = nan\nfault = 'kill'",
                "at = NaN is not within 0",
            ),
            (
                "[[step]]\nat = 1\nfault = 'kill'\nwhy = 1",
                "unknown field `why`",
            ),
            ("step", "TOML"),
        ] {
            let refused = Schedule::parse(text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}
