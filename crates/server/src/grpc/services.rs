//! The services, one file each: parse, call the App, render.

mod accounts;
mod alive;
mod cluster;
mod events;
mod journals;
mod lotteries;
mod news;
mod polls;
mod store;
mod watch_keys;

use std::io;

use api::grpc::FILE_DESCRIPTOR_SET;
use api::grpc::v1::accounts_server::AccountsServer;
use api::grpc::v1::cluster_server::ClusterServer;
use api::grpc::v1::events_server::EventsServer;
use api::grpc::v1::journals_server::JournalsServer;
use api::grpc::v1::lotteries_server::LotteriesServer;
use api::grpc::v1::news_server::NewsServer;
use api::grpc::v1::polls_server::PollsServer;
use api::grpc::v1::store_server::StoreServer;
use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_reflection::server::Builder;

use super::MESSAGE_MAX_BYTES;
use crate::app::App;

/// What answers for every service of ours.
#[derive(Clone)]
pub(in crate::grpc) struct Door(pub(in crate::grpc) App);

/// Every service by its name.
pub(super) fn routes(app: &App, health: HealthServer<impl Health>) -> io::Result<Routes> {
    let door = || Door(app.clone());
    let reflection = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that tools can show an error's details.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let alpha = reflection().build_v1alpha().map_err(io::Error::other)?;
    let reflection = reflection().build_v1().map_err(io::Error::other)?;
    let routes =
        Routes::new(AccountsServer::new(door()).max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(ClusterServer::new(door()).max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(EventsServer::new(door()).max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(LotteriesServer::new(door()).max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(NewsServer::new(door()).max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(PollsServer::new(door()).max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(JournalsServer::new(door()).max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(StoreServer::new(door()).max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(health.max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(reflection.max_decoding_message_size(MESSAGE_MAX_BYTES))
            .add_service(alpha.max_decoding_message_size(MESSAGE_MAX_BYTES));
    Ok(routes.prepare())
}
