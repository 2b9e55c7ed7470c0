//! The routes of the API, one file a subject.

mod accounts;
mod areas;
mod cluster;
mod drills;
mod events;
mod feeds;
mod files;
mod journals;
mod keys;
mod lotteries;
mod lottery_path;
mod polls;
mod posts;
mod system;

pub(crate) use files::FILE_PATH;
pub(crate) use lottery_path::{AgencyPath, LotteryPath, lottery_id};

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Every route of the API; the document of the API is made from the same list.
pub(super) fn all() -> OpenApiRouter<App> {
    let news = OpenApiRouter::new()
        .routes(routes!(areas::list, areas::add))
        .routes(routes!(areas::get, areas::edit, areas::remove))
        .routes(routes!(areas::subscribe, areas::unsubscribe))
        .routes(routes!(areas::subscriptions))
        .routes(routes!(posts::list, posts::publish))
        .routes(routes!(posts::get, posts::delete))
        .routes(routes!(posts::hide))
        .routes(routes!(posts::mark))
        .routes(routes!(posts::search))
        .routes(routes!(events::stream))
        .routes(routes!(feeds::make))
        .routes(routes!(feeds::area))
        .routes(routes!(feeds::private_all))
        .routes(routes!(feeds::private_area));
    let lotteries = OpenApiRouter::new()
        .routes(routes!(lotteries::list, lotteries::open))
        .routes(routes!(lotteries::get))
        .routes(routes!(lotteries::store_bets))
        .routes(routes!(lotteries::close))
        .routes(routes!(lotteries::draw))
        .routes(routes!(lotteries::winners))
        .routes(routes!(lotteries::record))
        .routes(routes!(lotteries::receipt));
    OpenApiRouter::new()
        .routes(routes!(accounts::list, accounts::register))
        .routes(routes!(accounts::change_password))
        .routes(routes!(
            accounts::make_administrator,
            accounts::unmake_administrator
        ))
        .routes(routes!(accounts::log_in, accounts::log_out_everywhere))
        .routes(routes!(accounts::current, accounts::log_out))
        .merge(news)
        .merge(lotteries)
        .routes(routes!(polls::list, polls::create))
        .routes(routes!(polls::get))
        .routes(routes!(polls::vote))
        .routes(routes!(polls::close))
        .routes(routes!(polls::result))
        .routes(routes!(polls::record))
        .routes(routes!(polls::proof))
        .routes(routes!(keys::get, keys::put, keys::delete))
        .merge(files())
        .routes(routes!(journals::list))
        .routes(routes!(journals::range, journals::append))
        .routes(routes!(journals::entry))
        .routes(routes!(journals::trim))
        .routes(routes!(cluster::route))
        .routes(routes!(cluster::show))
        .routes(routes!(cluster::elections))
        .routes(routes!(cluster::token))
        .routes(routes!(cluster::remove_node))
        .routes(routes!(cluster::rebuild_node))
        .routes(routes!(drills::list, drills::begin))
        .routes(routes!(drills::stop))
        .routes(routes!(system::version))
        .routes(routes!(system::live))
        .routes(routes!(system::ready))
        .routes(routes!(system::metrics))
}

fn files() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(files::list))
        .routes(routes!(
            files::get,
            files::put,
            files::delete,
            files::rename
        ))
        .routes(routes!(files::info))
        .routes(routes!(files::chunks))
        .routes(routes!(files::usage))
}
