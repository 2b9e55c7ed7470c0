//! Problems, times and numbers in the reader's words.

use maud::{Markup, html};

use super::language::Language;
use crate::app::now_ms;
use crate::problem::{Kind, Trouble};
use crate::render::rfc3339;

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Older than this a date says more than a number of days.
const RELATIVE_DAYS: i64 = 7;

const MONTHS: [(&str, &str); 12] = [
    ("enero", "January"),
    ("febrero", "February"),
    ("marzo", "March"),
    ("abril", "April"),
    ("mayo", "May"),
    ("junio", "June"),
    ("julio", "July"),
    ("agosto", "August"),
    ("septiembre", "September"),
    ("octubre", "October"),
    ("noviembre", "November"),
    ("diciembre", "December"),
];

/// The title of a problem.
pub(super) fn title(language: Language, kind: Kind) -> &'static str {
    match language {
        Language::English => kind.title(),
        Language::Spanish => spanish_title(kind),
    }
}

fn spanish_title(kind: Kind) -> &'static str {
    match kind {
        Kind::Malformed | Kind::UnsupportedMediaType => "No se entiende lo que se ha enviado",
        Kind::NotSignedIn => "Hay que entrar primero",
        Kind::SessionExpired => "La sesión ha caducado",
        Kind::WrongCredentials => "El nombre o la contraseña no son correctos",
        Kind::Forbidden => "No tienes permiso para esto",
        Kind::CrossSite => "La petición venía de otra página",
        Kind::NotFound => "Aquí no hay nada",
        Kind::MethodNotAllowed => "Eso no se puede hacer aquí",
        Kind::RequestTimeout => "La conexión es demasiado lenta",
        Kind::Taken => "Ese nombre ya está cogido",
        Kind::RequestConflict => "Este formulario ya se había enviado",
        Kind::LastAdministrator => "Tiene que quedar alguien que administre",
        Kind::PasswordChanged => "La contraseña ha cambiado mientras tanto",
        Kind::LimitReached => "Ya hay demasiados",
        Kind::MembershipRefused => "No se puede cambiar así la lista de nodos",
        Kind::AgencyClosed => "La agencia ya ha cerrado",
        Kind::AgenciesOpen => "Todavía hay agencias abiertas",
        Kind::AlreadyDrawn => "El sorteo ya se ha hecho",
        Kind::NotDrawn => "El sorteo no se ha hecho todavía",
        Kind::TooLarge => "Es demasiado grande",
        Kind::Invalid => "Hay algo que corregir",
        Kind::TooManyAttempts => "Demasiados intentos",
        Kind::Internal => "Algo ha fallado",
        Kind::Busy => "Hay mucha gente a la vez",
        Kind::NoLeader => "Ahora mismo no se puede escribir",
        Kind::Behind => "Este nodo va con retraso",
        Kind::OutcomeUnknown => "No sabemos si se ha guardado",
        Kind::Stopping => "Este nodo se está apagando",
        Kind::DiskFull => "No queda sitio en el disco",
        Kind::WrongCluster => "Este nodo es de otro grupo",
        Kind::Removed => "Este nodo ya no es de la red",
        Kind::Outvoted => "Los datos de este nodo no coinciden con los de los demás",
        Kind::PollNotOpen => "La votación todavía no se ha abierto",
        Kind::PollClosed => "La votación está cerrada",
        Kind::NotAVoter => "Esta votación es para otras personas",
        Kind::ResultHidden => "Todavía no hay resultado que mostrar",
        Kind::HistoryGone => "Esa historia ya no se conserva",
        Kind::Cut => "La transmisión se ha cortado",
        Kind::Deadline => "Se ha agotado el plazo",
        Kind::Moved => "La clave ha cambiado entretanto",
        Kind::DrillsNotAllowed => "Aquí no se permiten simulacros",
        Kind::DrillRefused => "El simulacro se ha rechazado",
        Kind::FileChanged => "El archivo ha cambiado entretanto",
        Kind::RangeNotSatisfiable => "El archivo no llega hasta ahí",
        Kind::BytesMissing => "Ahora no se encuentra el contenido del archivo",
        Kind::TooFewCopies => "Ahora no se puede guardar el archivo con seguridad",
    }
}

/// What went wrong and what to do, in a sentence or two.
pub(super) fn advice(language: Language, trouble: &Trouble) -> String {
    match language {
        Language::English => sentence(&trouble.detail),
        Language::Spanish => spanish_advice(trouble),
    }
}

fn spanish_advice(trouble: &Trouble) -> String {
    if let Some(error) = trouble.errors.first() {
        return format!(
            "{}: {}.",
            spanish_field(&error.field),
            spanish_reason(&error.reason)
        );
    }
    let text = match trouble.kind {
        Kind::WrongCredentials => "Compruébalos y vuelve a probar.",
        Kind::Forbidden => "Solo puede hacerlo quien administra, o quien lo escribió.",
        Kind::NotFound => "Puede que nunca existiera o que se haya quitado.",
        Kind::Taken => "Elige otro; las mayúsculas y minúsculas cuentan igual.",
        Kind::RequestConflict => "Vuelve a cargar la página y envíalo de nuevo.",
        Kind::TooManyAttempts => "Espera unos minutos antes de volver a probar.",
        Kind::Busy | Kind::Behind | Kind::Stopping => "Prueba otra vez dentro de un momento.",
        Kind::NoLeader => "Se puede leer. Para escribir, espera unos segundos y prueba otra vez.",
        Kind::OutcomeUnknown => "Mira si está antes de volver a enviarlo.",
        Kind::DiskFull => "No se ha guardado nada. Avisa a quien administra.",
        Kind::LastAdministrator => "Nombra antes a otra persona.",
        Kind::PollNotOpen => "Vuelve cuando se abra.",
        Kind::PollClosed => "Cuenta lo que se votó antes; ya no se puede cambiar.",
        Kind::NotAVoter => "Solo vota quien está en su lista.",
        Kind::ResultHidden => "Se verá cuando se cierre la votación.",
        Kind::CrossSite => "Ábrelo desde una página de este sitio.",
        _ => return sentence(&trouble.detail),
    };
    text.to_owned()
}

fn spanish_field(field: &str) -> &str {
    match field {
        "name" => "Nombre",
        "password" => "Contraseña",
        "current_password" => "Contraseña actual",
        "new_password" => "Contraseña nueva",
        "description" => "Descripción",
        "title" => "Título",
        "text" => "Texto",
        "reason" => "Motivo",
        "question" => "Pregunta",
        "options" => "Opciones",
        "voters" | "list" => "Lista",
        "choice" => "Tu voto",
        "closes_at" | "closes" => "Cierre",
        "quorum" => "Quórum",
        "majority" => "Mayoría",
        other => other,
    }
}

/// The rules' reasons in Spanish; one that is not here is shown as it is.
fn spanish_reason(reason: &str) -> String {
    let known = match reason {
        "a name has 2 to 32 characters" => "tiene de 2 a 32 letras",
        "a name has only letters, digits, '.', '_' and '-'" => {
            "solo puede tener letras, cifras, punto, guion y guion bajo"
        }
        "a name starts with a letter or a digit" => "empieza por una letra o una cifra",
        "an area's name has no control characters" => "tiene caracteres que no se ven",
        "an area's name has 1 to 60 characters" => "tiene de 1 a 60 letras",
        "an area's name has no '/'" => "no puede llevar una barra",
        "an area's name is not digits alone: those are an area's id" => "no pueden ser solo cifras",
        "an area's name is more than dots" => "no pueden ser solo puntos",
        "it must not be blank" => "no puede quedar vacío",
        "it has more than 65536 bytes" => "es demasiado largo",
        "it has control characters" | "it must be one line without control characters" => {
            "tiene caracteres que no se ven"
        }
        "choose one of the options" => "elige una de las opciones",
        "a poll has 2 to 100 options" => "tiene que haber de 2 a 100",
        "two options are alike" => "hay dos iguales",
        "a list has 1 to 5000 voters" => "tiene que haber de 1 a 5000 votantes",
        "a weight is from 1 to 1000000" => "un peso va de 1 a 1000000",
        "a line is a name, or a name and a weight" => {
            "en cada línea va un nombre, o un nombre y su peso"
        }
        "nobody knows how many anyone is: give the quorum as a number" => {
            "si vota cualquiera, no se sabe cuántos son"
        }
        "nobody knows how many anyone is: choose a majority of what is cast" => {
            "si vota cualquiera, tiene que ser una mayoría de lo votado"
        }
        "this is not your password" => "no es la tuya",
        "a password has at least 8 characters" => "tiene que tener al menos 8 letras",
        "a password has at most 1024 bytes" => "es demasiado larga",
        other => return spanish_length(other),
    };
    known.to_owned()
}

fn spanish_length(reason: &str) -> String {
    let number = reason
        .strip_prefix("it has more than ")
        .and_then(|rest| rest.strip_suffix(" characters"));
    number.map_or_else(|| reason.to_owned(), |n| format!("tiene más de {n} letras"))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// A moment: how long ago, or the date, with the exact time for whoever points at it.
pub(super) fn moment(language: Language, at_ms: i64) -> Markup {
    let exact = rfc3339(at_ms);
    html! {
        time datetime=(exact) title=(exact) { (ago(language, at_ms, now_ms())) }
    }
}

/// A moment to come: in how long, or the date; one that has passed as [`moment`] tells it.
pub(super) fn coming(language: Language, at_ms: i64) -> Markup {
    let now = now_ms();
    if at_ms <= now {
        return moment(language, at_ms);
    }
    let exact = rfc3339(at_ms);
    html! {
        time datetime=(exact) title=(exact) { (ahead(language, at_ms, now)) }
    }
}

fn ahead(language: Language, at_ms: i64, now_ms: i64) -> String {
    let left = at_ms - now_ms;
    // To the nearest, because "in 2 days" is not what somebody expects who has just said three.
    let nearest = |unit_ms: i64| (left + unit_ms / 2) / unit_ms;
    let count = |number: i64, one: (&str, &str), many: (&str, &str)| {
        let (es, en) = if number == 1 { one } else { many };
        match language {
            Language::Spanish => format!("dentro de {number} {es}"),
            Language::English => format!("in {number} {en}"),
        }
    };
    if nearest(MINUTE_MS) < 60 {
        let minutes = nearest(MINUTE_MS).max(1);
        count(minutes, ("minuto", "minute"), ("minutos", "minutes"))
    } else if nearest(HOUR_MS) < 24 {
        count(nearest(HOUR_MS), ("hora", "hour"), ("horas", "hours"))
    } else if nearest(DAY_MS) <= RELATIVE_DAYS {
        count(nearest(DAY_MS), ("día", "day"), ("días", "days"))
    } else {
        language.pick("el ", "on ").to_owned() + &date(language, at_ms, now_ms)
    }
}

fn ago(language: Language, at_ms: i64, now_ms: i64) -> String {
    let passed = now_ms - at_ms;
    let spanish = language == Language::Spanish;
    let count = |number: i64, one: (&str, &str), many: (&str, &str)| {
        let (es, en) = if number == 1 { one } else { many };
        if spanish {
            format!("hace {number} {es}")
        } else {
            format!("{number} {en} ago")
        }
    };
    if passed < MINUTE_MS {
        language.pick("ahora mismo", "just now").to_owned()
    } else if passed < HOUR_MS {
        count(
            passed / MINUTE_MS,
            ("minuto", "minute"),
            ("minutos", "minutes"),
        )
    } else if passed < DAY_MS {
        count(passed / HOUR_MS, ("hora", "hour"), ("horas", "hours"))
    } else if passed < RELATIVE_DAYS * DAY_MS {
        count(passed / DAY_MS, ("día", "day"), ("días", "days"))
    } else {
        date(language, at_ms, now_ms)
    }
}

/// A date; the year only if it is not this one.
fn date(language: Language, at_ms: i64, now_ms: i64) -> String {
    let (year, month, day) = calendar(at_ms);
    let (this_year, ..) = calendar(now_ms);
    let (es, en) = MONTHS[month - 1];
    match (language, year == this_year) {
        (Language::Spanish, true) => format!("{day} de {es}"),
        (Language::Spanish, false) => format!("{day} de {es} de {year}"),
        (Language::English, true) => format!("{day} {en}"),
        (Language::English, false) => format!("{day} {en} {year}"),
    }
}

fn calendar(ms: i64) -> (i16, usize, i8) {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    (
        date.year(),
        usize::from(date.month().unsigned_abs()).clamp(1, 12),
        date.day(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_as_people_do() {
        let now = 1_700_000_000_000;
        let es = |passed| ago(Language::Spanish, now - passed, now);
        let en = |passed| ago(Language::English, now - passed, now);
        assert_eq!(
            (es(0).as_str(), en(-5).as_str()),
            ("ahora mismo", "just now")
        );
        assert_eq!(
            (es(MINUTE_MS), en(HOUR_MS)),
            ("hace 1 minuto".into(), "1 hour ago".into())
        );
        assert_eq!(
            (es(2 * DAY_MS), en(2 * DAY_MS)),
            ("hace 2 días".into(), "2 days ago".into())
        );
        let soon = |left| ahead(Language::Spanish, now + left, now);
        assert_eq!(soon(1_000), "dentro de 1 minuto");
        assert_eq!(soon(HOUR_MS - 1_000), "dentro de 1 hora");
        assert_eq!(soon(14 * DAY_MS), "el 28 de noviembre");
        assert_eq!(es(30 * DAY_MS), "15 de octubre");
        assert_eq!(en(400 * DAY_MS), "10 October 2022");
    }

    #[test]
    fn what_is_wrong_with_a_field_is_told_in_spanish() {
        let trouble = Trouble::field("title", "it has more than 200 characters");
        assert_eq!(
            advice(Language::Spanish, &trouble),
            "Título: tiene más de 200 letras."
        );
        let trouble = Trouble::field("name", "a name has 2 to 32 characters");
        assert_eq!(
            advice(Language::Spanish, &trouble),
            "Nombre: tiene de 2 a 32 letras."
        );
    }
}
