//! Every command that there is, with what `COMMAND` tells of it.
//!
//! Arity, flags, places of the keys and versions are Redis's own, of version 7.0.

use super::Run::{Here, Own as Itself, Publish, Store, Waiting, XRead};
use super::{Command, Group, Keys, Own, hashes, keys, lists, sets, streams, strings};
use crate::redis::here;

macro_rules! commands {
    ($($name:tt $arity:literal [$($flag:ident)*] $keys:ident $group:ident $since:literal
        $summary:literal => $run:expr;)+) => {
        /// All commands, by what they are about.
        pub(crate) static COMMANDS: &[Command] = &[$(Command {
            name: stringify!($name),
            arity: $arity,
            flags: &[$(stringify!($flag)),*],
            keys: Keys::$keys,
            group: Group::$group,
            since: $since,
            summary: $summary,
            run: $run,
        }),+];
    };
}

commands! {
// Strings and counters.
get 2 [readonly fast] one String "1.0.0" "The string of a key" => Store(strings::get);
mget -2 [readonly fast] all String "1.0.0"
    "The strings of several keys" => Store(strings::mget);
strlen 2 [readonly fast] one String "2.2.0" "How long a string is" => Store(strings::strlen);
getrange 4 [readonly] one String "2.4.0" "A part of a string" => Store(strings::getrange);
substr 4 [readonly] one String "1.0.0"
    "A part of a string (GETRANGE)" => Store(strings::getrange);
set -3 [write] one String "1.0.0" "Stores a string" => Store(strings::set);
setnx 3 [write fast] one String "1.0.0"
    "Stores a string if there is no such key" => Store(strings::setnx);
setex 4 [write] one String "2.0.0" "Stores a string for some seconds" => Store(strings::setex);
psetex 4 [write] one String "2.6.0"
    "Stores a string for some milliseconds" => Store(strings::psetex);
getset 3 [write fast] one String "1.0.0"
    "Stores a string and answers the old one" => Store(strings::getset);
getdel 2 [write fast] one String "6.2.0"
    "Removes a string and answers it" => Store(strings::getdel);
getex -2 [write fast] one String "6.2.0"
    "Answers a string and sets its time to live" => Store(strings::getex);
mset -3 [write] pairs String "1.0.1" "Stores several strings" => Store(strings::mset);
msetnx -3 [write] pairs String "1.0.1"
    "Stores several strings if none of the keys exists" => Store(strings::msetnx);
append 3 [write fast] one String "2.0.0"
    "Adds to the end of a string" => Store(strings::append);
setrange 4 [write] one String "2.2.0"
    "Overwrites a part of a string" => Store(strings::setrange);
incr 2 [write fast] one String "1.0.0" "Counts one up" => Store(strings::incr);
decr 2 [write fast] one String "1.0.0" "Counts one down" => Store(strings::decr);
incrby 3 [write fast] one String "1.0.0" "Counts up by a number" => Store(strings::incrby);
decrby 3 [write fast] one String "1.0.0" "Counts down by a number" => Store(strings::decrby);

// Keys of any kind.
del -2 [write] all Generic "1.0.0" "Removes keys" => Store(keys::del);
unlink -2 [write fast] all Generic "4.0.0" "Removes keys" => Store(keys::del);
exists -2 [readonly fast] all Generic "1.0.0"
    "How many of the keys exist" => Store(keys::exists);
touch -2 [readonly fast] all Generic "3.2.1"
    "How many of the keys exist" => Store(keys::exists);
type 2 [readonly fast] one Generic "1.0.0"
    "What kind of thing a key holds" => Store(keys::kind);
expire -3 [write fast] one Generic "1.0.0"
    "Sets a time to live in seconds" => Store(keys::expire);
pexpire -3 [write fast] one Generic "2.6.0"
    "Sets a time to live in milliseconds" => Store(keys::pexpire);
expireat -3 [write fast] one Generic "1.2.0"
    "Sets when a key ends, in seconds since 1970" => Store(keys::expireat);
pexpireat -3 [write fast] one Generic "2.6.0"
    "Sets when a key ends, in milliseconds since 1970" => Store(keys::pexpireat);
ttl 2 [readonly fast] one Generic "1.0.0" "Seconds that a key has left" => Store(keys::ttl);
pttl 2 [readonly fast] one Generic "2.6.0"
    "Milliseconds that a key has left" => Store(keys::pttl);
expiretime 2 [readonly fast] one Generic "7.0.0"
    "When a key ends, in seconds since 1970" => Store(keys::expiretime);
pexpiretime 2 [readonly fast] one Generic "7.0.0"
    "When a key ends, in milliseconds since 1970" => Store(keys::pexpiretime);
persist 2 [write fast] one Generic "2.2.0"
    "Takes the time to live away" => Store(keys::persist);
rename 3 [write] two Generic "1.0.0" "Gives a key another name" => Store(keys::rename);
renamenx 3 [write fast] two Generic "1.0.0"
    "Gives a key another name that is free" => Store(keys::renamenx);
randomkey 1 [readonly] none Generic "1.0.0" "Some key" => Store(keys::randomkey);

// The node.
dbsize 1 [readonly fast] none Server "1.0.0" "How many keys there are" => Store(keys::dbsize);
flushdb -1 [write] none Server "1.0.0" "Removes every key" => Store(keys::flush);
flushall -1 [write] none Server "1.0.0" "Removes every key" => Store(keys::flush);

// Keys of any kind.
keys 2 [readonly] none Generic "1.0.0" "The keys that match a pattern" => Store(keys::keys);
scan -2 [readonly] none Generic "2.8.0"
    "Some of the keys, and where to go on" => Store(keys::scan);

// Lists.
lpush -3 [write fast] one List "1.0.0"
    "Adds items at the head of a list" => Store(lists::lpush);
rpush -3 [write fast] one List "1.0.0"
    "Adds items at the tail of a list" => Store(lists::rpush);
lpushx -3 [write fast] one List "2.2.0"
    "Adds items at the head of a list that there is" => Store(lists::lpushx);
rpushx -3 [write fast] one List "2.2.0"
    "Adds items at the tail of a list that there is" => Store(lists::rpushx);
lpop -2 [write fast] one List "1.0.0"
    "Takes items from the head of a list" => Store(lists::lpop);
rpop -2 [write fast] one List "1.0.0"
    "Takes items from the tail of a list" => Store(lists::rpop);
llen 2 [readonly fast] one List "1.0.0" "How long a list is" => Store(lists::llen);
lrange 4 [readonly] one List "1.0.0" "Items of a list" => Store(lists::lrange);
lindex 3 [readonly] one List "1.0.0" "An item of a list" => Store(lists::lindex);
lset 4 [write] one List "1.0.0" "Overwrites an item of a list" => Store(lists::lset);
lrem 4 [write] one List "1.0.0" "Removes items that equal a value" => Store(lists::lrem);
ltrim 4 [write] one List "1.0.0" "Keeps a range of a list" => Store(lists::ltrim);
lmove 5 [write] two List "6.2.0" "Moves an item from list to list" => Store(lists::lmove);
rpoplpush 3 [write] two List "1.2.0"
    "Moves an item from the tail of a list to the head of another" => Store(lists::rpoplpush);
lmpop -4 [write movablekeys] none List "7.0.0"
    "Takes items from the first list that has some" => Store(lists::lmpop);
blpop -3 [write blocking] timed List "2.0.0"
    "Waits for an item at the head of a list, and takes it" => Waiting(lists::blpop);
brpop -3 [write blocking] timed List "2.0.0"
    "Waits for an item at the tail of a list, and takes it" => Waiting(lists::brpop);
blmove 6 [write blocking] two List "6.2.0"
    "Waits for an item, and moves it from list to list" => Waiting(lists::blmove);
brpoplpush 4 [write blocking] two List "2.2.0"
    "Waits for an item, and moves it from tail to head" => Waiting(lists::brpoplpush);
blmpop -5 [write blocking movablekeys] none List "7.0.0"
    "Waits for items, and takes them" => Waiting(lists::blmpop);

// Hashes.
hset -4 [write fast] one Hash "2.0.0" "Sets fields of a hash" => Store(hashes::hset);
hmset -4 [write fast] one Hash "2.0.0" "Sets fields of a hash" => Store(hashes::hmset);
hsetnx 4 [write fast] one Hash "2.0.0" "Sets a field that is missing" => Store(hashes::hsetnx);
hget 3 [readonly fast] one Hash "2.0.0" "A field's value" => Store(hashes::hget);
hmget -3 [readonly fast] one Hash "2.0.0"
    "The values of several fields" => Store(hashes::hmget);
hgetall 2 [readonly] one Hash "2.0.0" "All fields with their values" => Store(hashes::hgetall);
hexists 3 [readonly fast] one Hash "2.0.0" "Whether a field exists" => Store(hashes::hexists);
hstrlen 3 [readonly fast] one Hash "3.2.0"
    "How long a field's value is" => Store(hashes::hstrlen);
hkeys 2 [readonly] one Hash "2.0.0" "All fields of a hash" => Store(hashes::hkeys);
hvals 2 [readonly] one Hash "2.0.0" "All values of a hash" => Store(hashes::hvals);
hdel -3 [write fast] one Hash "2.0.0" "Removes fields" => Store(hashes::hdel);
hlen 2 [readonly fast] one Hash "2.0.0" "How many fields a hash has" => Store(hashes::hlen);
hincrby 4 [write fast] one Hash "2.0.0" "Counts in a field" => Store(hashes::hincrby);
hscan -3 [readonly] one Hash "2.8.0"
    "Some of the fields, and where to go on" => Store(hashes::hscan);

// Sets.
sadd -3 [write fast] one Set "1.0.0" "Adds members to a set" => Store(sets::sadd);
srem -3 [write fast] one Set "1.0.0" "Removes members from a set" => Store(sets::srem);
smembers 2 [readonly] one Set "1.0.0" "All members of a set" => Store(sets::smembers);
sismember 3 [readonly fast] one Set "1.0.0"
    "Whether something is a member" => Store(sets::sismember);
smismember -3 [readonly fast] one Set "6.2.0"
    "Which of several are members" => Store(sets::smismember);
scard 2 [readonly fast] one Set "1.0.0" "How many members a set has" => Store(sets::scard);
spop -2 [write fast] one Set "1.0.0" "Takes random members out" => Store(sets::spop);
srandmember -2 [readonly] one Set "1.0.0" "Random members" => Store(sets::srandmember);
smove 4 [write fast] two Set "1.0.0" "Moves a member from set to set" => Store(sets::smove);
sscan -3 [readonly] one Set "2.8.0"
    "Some of the members, and where to go on" => Store(sets::sscan);

// Journals.
xadd -5 [write fast] one Stream "5.0.0" "Appends an entry to a journal" => Store(streams::xadd);
xlen 2 [readonly fast] one Stream "5.0.0"
    "How many entries a journal has" => Store(streams::xlen);
xrange -4 [readonly] one Stream "5.0.0"
    "Entries by their ids, oldest first" => Store(streams::xrange);
xrevrange -4 [readonly] one Stream "5.0.0"
    "Entries by their ids, newest first" => Store(streams::xrevrange);
xread -4 [readonly blocking movablekeys] none Stream "5.0.0"
    "Entries after an id, and waits for them if told to" => XRead;
xtrim -4 [write] one Stream "5.0.0" "Drops old entries of a journal" => Store(streams::xtrim);
xdel -3 [write fast] one Stream "5.0.0" "Removes entries of a journal" => Store(streams::xdel);

// Messages.
publish 3 [pubsub fast] none Pubsub "2.0.0"
    "Tells all who listen on a channel, on every node" => Publish;
subscribe -2 [pubsub] none Pubsub "2.0.0" "Listens on channels" => Itself(Own::Subscribe);
psubscribe -2 [pubsub] none Pubsub "2.0.0"
    "Listens on the channels that match patterns" => Itself(Own::Psubscribe);
unsubscribe -1 [pubsub] none Pubsub "2.0.0"
    "Listens on channels no more" => Itself(Own::Unsubscribe);
punsubscribe -1 [pubsub] none Pubsub "2.0.0"
    "Listens on patterns no more" => Itself(Own::Punsubscribe);

// Transactions.
multi 1 [fast] none Transactions "1.2.0" "Begins a transaction" => Itself(Own::Multi);
exec 1 [] none Transactions "1.2.0"
    "Executes a transaction, as one entry of the log" => Itself(Own::Exec);
discard 1 [fast] none Transactions "2.0.0" "Forgets a transaction" => Itself(Own::Discard);
watch -2 [fast] all Transactions "2.2.0"
    "Makes the next transaction depend on keys that do not change" => Itself(Own::Watch);
unwatch 1 [fast] none Transactions "2.2.0" "Forgets the watched keys" => Itself(Own::Unwatch);

// The connection.
auth -2 [fast no_auth] none Connection "1.0.0" "Says who the client is" => Itself(Own::Auth);
hello -1 [fast no_auth] none Connection "6.0.0"
    "Chooses the version of the protocol" => Itself(Own::Hello);
client -2 [] none Connection "2.4.0" "About this connection" => Here(here::client);
reset 1 [fast no_auth] none Connection "6.2.0"
    "Makes the connection as it was at first" => Itself(Own::Reset);
quit -1 [fast no_auth] none Connection "1.0.0" "Closes the connection" => Itself(Own::Quit);
ping -1 [fast] none Connection "1.0.0" "Whether anybody is there" => Here(here::ping);
echo 2 [fast] none Connection "1.0.0" "Answers what is said" => Here(here::echo);
select 2 [fast] none Connection "1.0.0"
    "Chooses a database; there is one" => Here(here::select);

// The node.
command -1 [] none Server "2.8.13" "What commands there are" => Here(here::command);
info -1 [] none Server "1.0.0" "About this node" => Itself(Own::Info);
config -2 [] none Server "2.0.0" "Some settings, to be read" => Here(here::config);
time 1 [fast] none Server "2.6.0" "This node's clock" => Here(here::time);

// Keys of any kind.
wait 3 [] none Generic "3.0.0" "How many other nodes have the last write" => Itself(Own::Wait);

// What clusters of Redis have.
cluster -2 [] none Cluster "3.0.0"
    "Not supported: any node takes any request" => Here(here::cluster);
readonly 1 [fast] none Cluster "3.0.0"
    "Not supported: any node takes any request" => Here(here::cluster);
readwrite 1 [fast] none Cluster "3.0.0"
    "Not supported: any node takes any request" => Here(here::cluster);}
