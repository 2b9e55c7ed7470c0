//! JSON whose objects must be objects.
//!
//! What serde derives for a struct also reads a list of its fields, in the order of the source.
//! That order is no part of the API, so a list in an object's place is of the wrong type here, at
//! any depth. All else is read as `serde_json` reads it, as it comes: field names that come twice
//! and numbers that do not fit are refused as ever.

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess,
    Visitor,
};
use std::fmt;

/// Reads a whole JSON text.
pub(super) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = T::deserialize(Objects(&mut deserializer))?;
    deserializer.end()?;
    Ok(value)
}

/// Wraps each part of a deserialisation, so that whatever is within is wrapped as well.
struct Objects<T>(T);

/// Methods of a deserializer that only hand on the wrapped visitor.
macro_rules! hand_on {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* Objects(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = D::Error;

    /// As a map: that is read from an object alone.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Objects(visitor))
    }

    hand_on! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }
}

/// Methods of a visitor that only hand on what they are given.
macro_rules! visit {
    ($($method:ident($type:ty);)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Objects<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    visit! {
        visit_bool(bool);
        visit_i64(i64);
        visit_i128(i128);
        visit_u64(u64);
        visit_u128(u128);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, some: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Objects(some))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Objects(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Objects(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Objects(map))
    }

    /// No variant that the API takes holds anything.
    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(variant)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Objects<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, part: D) -> Result<T::Value, D::Error> {
        self.0.deserialize(Objects(part))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use api::types::{Mark, NewBets, NewDraw, NewPoll};

    use super::from_slice;

    #[test]
    fn a_list_is_no_object_at_any_depth() {
        let bet = r#"{"first_name":"A","last_name":"B","document":"1",
            "birthdate":"1999-03-17","number":7}"#;
        let bets = format!(r#"{{"agency":1,"bets":[{bet}]}}"#);
        assert_eq!(
            from_slice::<NewBets>(bets.as_bytes()).unwrap().bets.len(),
            1
        );
        for lists in [
            format!("[1,[{bet}]]"),
            r#"{"agency":1,"bets":[["A","B","1","1999-03-17",7]]}"#.to_owned(),
            r#"{"agency":1,"bets":{"0":{}}}"#.to_owned(),
        ] {
            let error = from_slice::<NewBets>(lists.as_bytes()).unwrap_err();
            assert!(error.is_data(), "{lists}: {error}");
            assert!(error.to_string().contains("invalid type"), "{error}");
        }
        let listed = r#"{"question":"¿?","options":["a","b"],"list":[["ana",1]]}"#;
        assert!(
            from_slice::<NewPoll>(listed.as_bytes())
                .unwrap_err()
                .is_data()
        );
    }

    #[test]
    fn all_else_is_read_as_it_is_without() {
        let hex = "0".repeat(64);
        for json in [
            r#"{"post":7,"read":null}"#,
            r#"{"post":7,"post":8}"#,
            r#"{"post":7.0}"#,
            r#"{"post":1e400}"#,
            r#"{"post":9223372036854775808}"#,
            r#"{"post":7}}"#,
            r#"{"nothing":[[[{}]]]}"#,
            r#"{"post":"7"}"#,
            "null",
            "",
            &format!("{{\"all\":{}", "[".repeat(200)),
        ] {
            let here = from_slice::<Mark>(json.as_bytes()).map_err(|error| error.to_string());
            let plain = serde_json::from_str::<Mark>(json).map_err(|error| error.to_string());
            assert_eq!(here, plain, "{json}");
        }
        let draw = format!(r#"{{"number":7,"secret":"{hex}","source_value":"ñ\n"}}"#);
        let here = from_slice::<NewDraw>(draw.as_bytes()).unwrap();
        assert_eq!(here, serde_json::from_str(&draw).unwrap());
    }
}
