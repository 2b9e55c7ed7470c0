//! Tries a property on a stable toolchain: inputs that follow from one seed, each some changes away
//! from an example.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

/// Inputs tried unless the environment says otherwise: a few seconds of an unoptimised build.
const TRIALS: u64 = 20_000;

/// Changes of one input.
const CHANGES_MAX: usize = 6;

/// Tries `property` on inputs made of `examples`; `telling` are bytes that mean something to the
/// reader. `CONSORCIO_FUZZ_TRIALS` says how many, `CONSORCIO_FUZZ_SEED` from which seed.
pub fn run(property: fn(&[u8]), examples: &[Vec<u8>], telling: &[u8]) {
    let seed = number("CONSORCIO_FUZZ_SEED").unwrap_or(1);
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    examples.iter().for_each(|example| property(example));
    for trial in 0..number("CONSORCIO_FUZZ_TRIALS").unwrap_or(TRIALS) {
        let mut input = any(examples, &mut dice).clone();
        for _ in 0..dice.random_range(1..=CHANGES_MAX) {
            change(&mut input, examples, telling, &mut dice);
        }
        let tried = Tried { seed, trial, input };
        property(&tried.input);
    }
}

/// Tells what was tried if the property fails.
struct Tried {
    seed: u64,
    trial: u64,
    input: Vec<u8>,
}

impl Drop for Tried {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Tried { seed, trial, input } = self;
            eprintln!(
                "CONSORCIO_FUZZ_SEED={seed}, trial {trial}: {input:?} ({:?})",
                String::from_utf8_lossy(input)
            );
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

fn any<'a>(examples: &'a [Vec<u8>], dice: &mut ChaCha8Rng) -> &'a Vec<u8> {
    &examples[dice.random_range(0..examples.len())]
}

/// Changes, drops, doubles, cuts or inserts something, mostly what means something to a reader.
fn change(input: &mut Vec<u8>, examples: &[Vec<u8>], telling: &[u8], dice: &mut ChaCha8Rng) {
    let at = dice.random_range(0..=input.len());
    let byte = telling[dice.random_range(0..telling.len())];
    match dice.random_range(0..8) {
        0 | 1 => input.insert(at, byte),
        2 if at < input.len() => input[at] = byte,
        3 if at < input.len() => input[at] = dice.random(),
        4 if at < input.len() => drop(input.remove(at)),
        5 => input.truncate(at),
        6 => {
            let other = any(examples, dice);
            let from = dice.random_range(0..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => input.extend_from_within(at..),
    }
}
