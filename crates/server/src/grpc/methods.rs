//! What can be called, as the Protobuf files say it.

use std::collections::HashMap;
use std::io;

use api::grpc::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::method_options::IdempotencyLevel;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};

/// Our package; the others are standard services.
const OURS: &str = "consorcio.v1";

/// Called without a session even where one is required: they make one.
const OPEN: [&str; 2] = [
    "/consorcio.v1.Accounts/Register",
    "/consorcio.v1.Accounts/LogIn",
];

/// What needs no session, and so does not look whether one that comes along counts.
const UNCHECKED: [&str; 4] = [
    "/consorcio.v1.Cluster/GetCluster",
    "/consorcio.v1.Cluster/ListElections",
    "/consorcio.v1.Cluster/GetVersion",
    "/consorcio.v1.Cluster/RouteArea",
];

/// A method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Method {
    /// Service and name, as a call names it.
    pub path: String,
    /// Whether it is one of ours.
    pub ours: bool,
    /// Whether it answers with a stream.
    pub streams: bool,
    /// Whether it changes nothing.
    pub safe: bool,
    /// Whether it may be called without a session where one is required.
    pub open: bool,
    /// Whether it looks by itself whether the session counts.
    pub checks: bool,
}

/// Every method by its path.
#[derive(Debug)]
pub(super) struct Methods(HashMap<String, Method>);

impl Methods {
    /// Those of the API, of health and of reflection.
    pub fn new() -> io::Result<Self> {
        let sets = [
            FILE_DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut methods = HashMap::new();
        for set in sets {
            let set = FileDescriptorSet::decode(set).map_err(io::Error::other)?;
            for file in &set.file {
                for service in &file.service {
                    let name = format!("/{}.{}/", file.package(), service.name());
                    let ours = file.package() == OURS;
                    let known = service.method.iter().map(|m| method(&name, ours, m));
                    methods.extend(known.map(|known| (known.path.clone(), known)));
                }
            }
        }
        Ok(Methods(methods))
    }

    /// The method that a call's path names.
    pub fn find(&self, path: &str) -> Option<&Method> {
        self.0.get(path)
    }

    /// The names of our services, as health tells them.
    pub fn services(&self) -> Vec<String> {
        let ours = self.0.values().filter(|method| method.ours);
        let names = ours.filter_map(|method| method.path.split('/').nth(1));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn method(service: &str, ours: bool, method: &MethodDescriptorProto) -> Method {
    let path = format!("{service}{}", method.name());
    let level = method.options.as_ref().map(|o| o.idempotency_level());
    let safe = level == Some(IdempotencyLevel::NoSideEffects);
    Method {
        ours,
        streams: method.server_streaming(),
        safe: safe || !ours,
        open: !ours || OPEN.contains(&path.as_str()),
        checks: !UNCHECKED.contains(&path.as_str()),
        path,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_files_say_what_a_method_does() {
        let methods = Methods::new().unwrap();
        let publish = methods.find("/consorcio.v1.News/Publish").unwrap();
        assert!(publish.ours && !publish.safe && !publish.streams && !publish.open);
        let watch = methods.find("/consorcio.v1.Events/WatchEvents").unwrap();
        assert!(watch.streams && watch.safe && watch.checks);
        let check = methods.find("/grpc.health.v1.Health/Check").unwrap();
        assert!(check.open && check.safe && !check.ours);
        assert!(methods.find("/consorcio.v1.News/Nothing").is_none());
        for path in OPEN.iter().chain(&UNCHECKED) {
            assert!(methods.find(path).is_some(), "{path}");
        }
        assert!(
            methods
                .services()
                .contains(&"consorcio.v1.Polls".to_owned())
        );
    }
}
