//! `consorcio lottery sample`: files of bets to try a lottery with.

use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};

use crate::failure::{Failure, Outcome};

/// Write files of invented bets, `agency-1.csv` and so on
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// How many agencies
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    agencies: u32,

    /// How many bets, of all of them
    #[arg(long, default_value_t = 78_697)]
    bets: u64,

    /// The same number makes the same files
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Directory to write to, made if need be
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

/// The number of the compatible draw, which some people always bet on.
const FAVOURITE: u16 = 7574;

/// One bet of so many is on [`FAVOURITE`]: some 150 of the usual 78,697.
const FAVOURITE_ONE_IN: u32 = 500;

/// Writes the files.
pub fn run(args: &Args) -> Outcome {
    fs::create_dir_all(&args.out).map_err(|error| refusal(&args.out, &error))?;
    for agency in 1..=args.agencies {
        let path = args.out.join(format!("agency-{agency}.csv"));
        let count = share(args.bets, args.agencies, agency);
        write(&path, bets(args.seed, agency, count)).map_err(|error| refusal(&path, &error))?;
    }
    Ok(())
}

/// How many bets an agency has: the first ones have more, as it is with agencies.
fn share(bets: u64, agencies: u32, agency: u32) -> u64 {
    let (bets, agencies, agency) = (u128::from(bets), u128::from(agencies), u128::from(agency));
    // Weights fall from twice to once the smallest; the sum up to each is exact.
    let up_to = |place: u128| {
        let weight = |count: u128| count * (4 * agencies - count - 1);
        bets * weight(place) / weight(agencies)
    };
    u64::try_from(up_to(agency) - up_to(agency - 1)).unwrap_or(u64::MAX)
}

/// The invented bets of an agency, each with its five fields. They follow from the arguments.
pub fn bets(seed: u64, agency: u32, count: u64) -> impl Iterator<Item = [String; 5]> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed.rotate_left(32) ^ u64::from(agency));
    (0..count).map(move |_| bet(&mut dice))
}

fn bet(dice: &mut ChaCha8Rng) -> [String; 5] {
    let mut pick = |list: &[&str]| list[dice.random_range(0..list.len())].to_owned();
    let (mut first, mut last) = (pick(FIRST_NAMES), pick(LAST_NAMES));
    let (second_first, second_last) = (pick(FIRST_NAMES), pick(LAST_NAMES));
    match dice.random_range(0..10_u32) {
        0..3 => first = format!("{first} {second_first}"),
        3 => last = format!("{last} {second_last}"),
        4 if dice.random_range(0..20_u32) == 0 => last = format!("{last}, hijo"),
        _ => {}
    }
    // Documents grow with the year of birth.
    let year = dice.random_range(1935..=2006_u32);
    let document = (year - 1935) * 560_000 + 5_000_000 + dice.random_range(0..900_000_u32);
    let birthdate = format!(
        "{year}-{:02}-{:02}",
        dice.random_range(1..=12_u32),
        dice.random_range(1..=28_u32)
    );
    let number = match dice.random_range(0..FAVOURITE_ONE_IN) {
        0 => FAVOURITE,
        _ => dice.random_range(0..=9999_u16),
    };
    [
        first,
        last,
        document.to_string(),
        birthdate,
        number.to_string(),
    ]
}

fn write(path: &Path, bets: impl Iterator<Item = [String; 5]>) -> std::io::Result<()> {
    let mut file = csv::Writer::from_path(path)?;
    for bet in bets {
        file.write_record(bet)?;
    }
    file.flush()
}

fn refusal(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}

const FIRST_NAMES: &[&str] = &[
    "Agustina",
    "Alberto",
    "Alejandro",
    "Alma",
    "Ana",
    "Andrés",
    "Ángel",
    "Antonia",
    "Beatriz",
    "Benjamín",
    "Bruno",
    "Camila",
    "Carlos",
    "Carmen",
    "Catalina",
    "Clara",
    "Daniel",
    "Delfina",
    "Diego",
    "Elena",
    "Emilia",
    "Esteban",
    "Eva",
    "Federico",
    "Felipe",
    "Florencia",
    "Francisco",
    "Gabriela",
    "Gonzalo",
    "Graciela",
    "Guillermo",
    "Héctor",
    "Hilda",
    "Ignacio",
    "Inés",
    "Iván",
    "Jorge",
    "José",
    "Juan",
    "Juana",
    "Julia",
    "Julián",
    "Laura",
    "Leonardo",
    "Lucía",
    "Luis",
    "Manuel",
    "Marcela",
    "María",
    "Mariano",
    "Marta",
    "Martín",
    "Mateo",
    "Mercedes",
    "Miguel",
    "Mónica",
    "Nicolás",
    "Noelia",
    "Norma",
    "Óscar",
    "Pablo",
    "Patricia",
    "Paula",
    "Pedro",
    "Ramón",
    "Raquel",
    "Ricardo",
    "Rocío",
    "Rosa",
    "Santiago",
    "Silvia",
    "Sofía",
    "Susana",
    "Teresa",
    "Tomás",
    "Valentina",
    "Verónica",
    "Vicente",
    "Victoria",
    "Ximena",
];

const LAST_NAMES: &[&str] = &[
    "Acosta",
    "Aguirre",
    "Álvarez",
    "Arias",
    "Ávila",
    "Benítez",
    "Blanco",
    "Bravo",
    "Cabrera",
    "Cáceres",
    "Campos",
    "Cardozo",
    "Carrizo",
    "Castillo",
    "Castro",
    "Coronel",
    "Correa",
    "Díaz",
    "Domínguez",
    "Duarte",
    "Escobar",
    "Farías",
    "Fernández",
    "Ferreyra",
    "Figueroa",
    "Flores",
    "Franco",
    "Gallardo",
    "García",
    "Giménez",
    "Godoy",
    "Gómez",
    "González",
    "Gutiérrez",
    "Guzmán",
    "Hernández",
    "Herrera",
    "Ibáñez",
    "Juárez",
    "Ledesma",
    "Leiva",
    "López",
    "Lucero",
    "Luna",
    "Maldonado",
    "Mansilla",
    "Martínez",
    "Medina",
    "Méndez",
    "Molina",
    "Montenegro",
    "Morales",
    "Moreno",
    "Moyano",
    "Muñoz",
    "Navarro",
    "Núñez",
    "Ojeda",
    "Olivera",
    "Ortiz",
    "Páez",
    "Peralta",
    "Pereyra",
    "Pérez",
    "Ponce",
    "Quiroga",
    "Ramírez",
    "Ramos",
    "Ríos",
    "Rivero",
    "Rodríguez",
    "Rojas",
    "Romero",
    "Ruiz",
    "Sánchez",
    "Silva",
    "Soria",
    "Sosa",
    "Suárez",
    "Toledo",
    "Torres",
    "Valdez",
    "Vargas",
    "Vázquez",
    "Vega",
    "Vera",
    "Villalba",
    "Zárate",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use api::lottery_packets::Bet;

    use super::*;

    #[test]
    fn every_bet_is_one_and_some_are_on_the_favourite() {
        let all: Vec<[String; 5]> = bets(1, 1, 20_000).collect();
        let read = all
            .iter()
            .map(|f| Bet::from_fields(f.each_ref().map(String::as_str)).unwrap());
        let favourites = read.filter(|bet| bet.number == FAVOURITE).count();
        assert!((20..80).contains(&favourites), "{favourites}");
        assert!(bets(1, 1, 20_000).eq(all));
        assert!(!bets(2, 1, 10).eq(bets(1, 1, 10)) && !bets(1, 2, 10).eq(bets(1, 1, 10)));
    }

    #[test]
    fn all_bets_are_shared_out() {
        for (bets, agencies) in [(78_697, 5), (0, 3), (7, 100), (u64::MAX, 10_000)] {
            let shares: Vec<u64> = (1..=agencies).map(|a| share(bets, agencies, a)).collect();
            assert_eq!(shares.iter().sum::<u64>(), bets, "{bets} over {agencies}");
        }
        assert!(share(78_697, 5, 1) > share(78_697, 5, 5));
    }

    #[test]
    fn files_are_written_for_every_agency() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("new");
        let args = Args {
            agencies: 3,
            bets: 100,
            seed: 1,
            out: out.clone(),
        };
        run(&args).unwrap();
        let lines = |agency| {
            let text = fs::read_to_string(out.join(format!("agency-{agency}.csv"))).unwrap();
            text.lines().count()
        };
        assert_eq!(lines(1) + lines(2) + lines(3), 100);
    }
}
