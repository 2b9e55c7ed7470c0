//! Which seeds a test runs.

/// The seeds to run: one named by the environment, or as many as it says, or `default`.
pub fn seeds(default: u64) -> Vec<u64> {
    let count = number("CONSORCIO_SIM_SEEDS").unwrap_or(default);
    only_seed().map_or_else(|| (0..count).collect(), |seed| vec![seed])
}

/// The one seed to run, if the environment names one.
pub fn only_seed() -> Option<u64> {
    number("CONSORCIO_SIM_SEED")
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().expect("a number"))
}
