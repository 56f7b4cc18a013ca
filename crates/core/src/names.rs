//! Names and tokens. They are pure functions of what they name: a thing that is made twice gets the same name, and is refused or
//! recognised.

use carpack_api::order::OrderAction;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Length of the hash in a name, in hexadecimal digits: 80 bits. With 32 bits, somebody found two packs with the same hash in five minutes.
const HASH: usize = 20;
/// At most so many characters of `<namespace>-<name>` are the title of a name: as many as a chosen pack name may have.
const LONGEST_TITLE: usize = 40;
/// The cloud appends a number of at most so many digits (ASSUMED): a purchase has at most 100 concurrencies.
const LONGEST_NUMBER: usize = 4;

/// Name of an order: `<namespace>.<name>.<action>-<ordinal>`. A namespace has no dot, so no two packs share a name.
pub fn order_name(namespace: &str, name: &str, action: OrderAction, ordinal: i64) -> String {
    let action = match action {
        OrderAction::Buy => "buy",
        OrderAction::Renew => "renew",
        OrderAction::Return => "return",
    };
    format!("{namespace}.{name}.{action}-{ordinal}")
}

/// True when an order of this name is for a pack of this namespace and name. For orders that cannot be read, their name is all that is
/// known.
pub fn is_order_of(namespace: &str, name: &str, order: &str) -> bool {
    let rest = order.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('.'));
    let rest = rest.and_then(|rest| rest.strip_prefix(name)).and_then(|rest| rest.strip_prefix('.'));
    rest.is_some_and(|action_and_ordinal| !action_and_ordinal.contains('.'))
}

/// The name in the cloud: `<title>-<hash>` for the first purchase, `<title>-002-<hash>` for the second one, and `<title>-000-<hash>`
/// for what was adopted. The title is the chosen pack name (the API admits at most 40 characters), or else the first 40 characters of
/// `<namespace>-<name>`. So a name has at most 65 characters, without the number that the cloud appends.
///
/// The hash is of namespace and name alone, so that a rebuilt cluster recognises its own instances.
pub fn cloud_name(namespace: &str, name: &str, pack_name: Option<&str>, purchase: i64) -> String {
    let hash = hash(namespace, name);
    let title = match pack_name {
        Some(chosen) => chosen.to_owned(),
        None => format!("{namespace}-{name}").chars().take(LONGEST_TITLE).collect(),
    };
    if purchase == 1 { format!("{title}-{hash}") } else { format!("{title}-{purchase:03}-{hash}") }
}

/// The name of an instance: the cloud appends a number when several are bought together.
pub fn instance_name(cloud_name: &str, number: Option<&str>) -> String {
    match number {
        Some(number) => format!("{cloud_name}-{number}"),
        None => cloud_name.to_owned(),
    }
}

/// True when the cloud's name is this name, or this name with a number appended.
pub fn is_named(cloud_name: &str, observed: &str) -> bool {
    observed.strip_prefix(cloud_name).is_some_and(|rest| rest.is_empty() || appended_number(rest).is_some())
}

/// The number that the cloud appended to an instance of this pack, whatever the pack's title was.
pub fn number_of(namespace: &str, name: &str, observed: &str) -> Option<String> {
    let (_, rest) = observed.rsplit_once(&hash(namespace, name))?;
    appended_number(rest).map(str::to_owned)
}

/// True when a name in the cloud carries the hash of this namespace and name.
pub fn carries_hash(namespace: &str, name: &str, observed: &str) -> bool {
    observed
        .rsplit_once(&hash(namespace, name))
        .is_some_and(|(title, rest)| title.ends_with('-') && (rest.is_empty() || appended_number(rest).is_some()))
}

/// True when a name in the cloud carries what can only be the hash of a pack.
pub fn carries_a_hash(observed: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let is_hash = |text: &str| text.len() == HASH && is_hex(text);
    let ends = |text: &str| text.rsplit_once('-').is_some_and(|(title, end)| !title.is_empty() && is_hash(end));
    let unnumbered = observed.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', ' ']);
    ends(observed) || ends(unnumbered)
}

/// The number that the cloud appended. No document says how it does (ASSUMED: up to four digits, with or without a separator).
fn appended_number(rest: &str) -> Option<&str> {
    let digits = rest.strip_prefix(['-', '_', ' ']).unwrap_or(rest);
    (!digits.is_empty() && digits.len() <= LONGEST_NUMBER && digits.bytes().all(|b| b.is_ascii_digit()))
        .then_some(digits)
}

/// The token of a paid call, 64 characters. It is a function of the order, the instance and the expiry that is renewed, never of the
/// attempt, the leader or chance.
///
/// The expiry is part of it because the name of an order can come up again after its record was deleted. The cloud would take a
/// renewal with the old token for the one that was paid before.
pub fn client_token(
    order_name: &str,
    pack_uid: &str,
    instance_id: Option<&str>,
    renews_from: Option<Timestamp>,
) -> String {
    let from = renews_from.map(|at| at.as_second().to_string()).unwrap_or_default();
    digest(&[order_name, pack_uid, instance_id.unwrap_or(""), &from])
}

fn hash(namespace: &str, name: &str) -> String {
    digest(&[namespace, name]).chars().take(HASH).collect()
}

/// The hexadecimal SHA-256 of the parts. Each is preceded by its length, so that "ab", "c" and "a", "bc" differ.
fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_whose_names_run_together_have_different_orders_and_cloud_names() {
        assert_ne!(order_name("a-b", "c", OrderAction::Buy, 1), order_name("a", "b-c", OrderAction::Buy, 1));
        assert_ne!(cloud_name("a-b", "c", None, 1), cloud_name("a", "b-c", None, 1));
        assert_ne!(cloud_name("a", "c", Some("same"), 1), cloud_name("b", "c", Some("same"), 1));
    }

    #[test]
    fn an_order_is_known_by_its_name_for_that_of_its_pack() {
        let order = order_name("events", "concert.hall", OrderAction::Renew, 12);
        assert!(is_order_of("events", "concert.hall", &order), "{order}");
        for (namespace, name) in
            [("events", "concert"), ("events", "hall"), ("event", "s.concert.hall"), ("other", "concert.hall")]
        {
            assert!(!is_order_of(namespace, name, &order), "{namespace}/{name}");
        }
    }

    #[test]
    fn an_instance_is_recognised_with_and_without_the_number_the_cloud_appends() {
        let name = cloud_name("events", "concert", None, 1);
        assert!(is_named(&name, &name));
        for number in ["-1", "-100", "_2", "3"] {
            let observed = format!("{name}{number}");
            assert!(is_named(&name, &observed), "{observed}");
            assert!(carries_hash("events", "concert", &observed), "{observed}");
        }
        assert!(!is_named(&name, &format!("{name}-x")));
        assert!(
            carries_hash("events", "concert", &name)
                && carries_hash("events", "concert", &name.replacen("concert", "gala", 1))
        );
        let (_, hash) = name.rsplit_once('-').unwrap();
        for other in [format!("{name}-x"), hash.to_owned(), format!("gala{hash}"), format!("gala{hash}-1")] {
            assert!(!carries_hash("events", "concert", &other), "{other}");
        }
        assert!(!carries_hash("events", "other", &name));
    }

    #[test]
    fn a_name_that_a_pack_may_have_given_is_told_from_others() {
        let name = cloud_name("events", "concert", None, 0);
        let given = ["gala-002-0123456789abcdef0123"].map(str::to_owned);
        for given in [name.clone(), format!("{name}-1"), format!("{name}_100")].into_iter().chain(given) {
            assert!(carries_a_hash(&given), "{given}");
        }
        let dated = ["gala-20261201", "gala-20261201-3"];
        let hash = "0123456789abcdef0123";
        let unlike =
            [format!("-{hash}"), hash.to_owned(), format!("gala-{}", hash.to_uppercase()), format!("gala-{hash}4")];
        let unlike = unlike.iter().map(String::as_str);
        for other in ["by hand", "by-hand-3", ""].into_iter().chain(dated).chain(unlike) {
            assert!(!carries_a_hash(other), "{other}");
        }
    }

    #[test]
    fn a_hash_is_too_long_to_be_found_again_by_trial() {
        let name = cloud_name("events", "concert", None, 1);
        let (_, hash) = name.rsplit_once('-').unwrap();
        assert!(hash.len() * 4 >= 80, "{name}");
        // A pair that was found for the first 32 bits.
        let victim = cloud_name("events", "gala-191091", None, 1);
        assert_ne!(victim, cloud_name("evil", "p3792", Some("events-gala-191091"), 1));
    }

    #[test]
    fn a_title_that_looks_like_anothers_name_or_number_is_taken_for_neither() {
        let victim = cloud_name("events", "concert", None, 1);
        for title in
            [victim.clone(), format!("{victim}-1"), "events-concert-002".to_owned(), "events-concert-1".to_owned()]
        {
            for purchase in [0, 1, 2] {
                let forged = cloud_name("evil", "p", Some(&title), purchase);
                for observed in [forged.clone(), format!("{forged}-1"), format!("{forged}3")] {
                    assert!(!is_named(&victim, &observed), "{observed}");
                    assert!(!carries_hash("events", "concert", &observed), "{observed}");
                }
            }
        }
    }

    #[test]
    fn a_successor_is_not_taken_for_the_numbered_instance_of_its_predecessor() {
        let first = cloud_name("events", "concert", None, 1);
        let second = cloud_name("events", "concert", None, 2);
        assert!(!is_named(&first, &second));
        assert!(carries_hash("events", "concert", &second));
    }

    #[test]
    fn a_token_fits_the_cloud_and_differs_by_order_pack_instance_and_expiry() {
        let from = Timestamp::UNIX_EPOCH;
        let token = client_token("events.concert.renew-1", "uid-1", Some("i-1"), Some(from));
        assert_eq!(token.len(), 64);
        assert!(token.is_ascii());
        assert_ne!(token, client_token("events.concert.renew-2", "uid-1", Some("i-1"), Some(from)));
        assert_ne!(token, client_token("events.concert.renew-1", "uid-2", Some("i-1"), Some(from)));
        assert_ne!(token, client_token("events.concert.renew-1", "uid-1", Some("i-2"), Some(from)));
        assert_ne!(token, client_token("events.concert.renew-1", "uid-1", Some("i-1"), None));
    }

    #[test]
    fn a_token_is_the_same_whenever_and_by_whomever_it_is_made() {
        let token = || client_token("events.concert.renew-1", "uid-1", Some("i-1"), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(token(), token());
        // A later version of carpack that sends the same call again must send the same token.
        assert_eq!(token(), "73abc7c29d060713752629ffd6a1fd1c7d138953cc6280cc129a20cf421c0738");
    }
}
