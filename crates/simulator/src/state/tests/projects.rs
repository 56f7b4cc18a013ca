//! Projects, lists, the console, and accounts.

use super::*;

#[test]
fn a_pack_is_bound_only_to_a_project_of_its_scale_and_only_when_free_and_in_service() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Day);
    let project = |id: &str, scale: &str| NewProject {
        id: Some(id.to_owned()),
        name: id.to_owned(),
        scale: scale.to_owned(),
        ..NewProject::default()
    };
    for (id, scale) in [("small", "S1"), ("other", "S1"), ("large", "L1")] {
        state.create_project("default", project(id, scale)).unwrap();
    }
    let ids = [id.clone()];
    assert_eq!(code(state.bind(&call(""), &ids, "large")), "FailedOperation");
    assert_eq!(code(state.bind(&call(""), &ids, "nowhere")), "InvalidParameterValue");
    state.bind(&call(""), &ids, "small").unwrap();
    state.bind(&call(""), &ids, "small").unwrap();
    assert_eq!(code(state.bind(&call(""), &ids, "other")), "OperationDenied");
    assert_eq!(code(state.unbind(&call(""), &ids, Some("other"))), "FailedOperation");
    assert_eq!(code(state.delete_projects("default", &["small".to_owned()])), "OperationDenied");
    state.unbind(&call(""), &ids, None).unwrap();
    assert_eq!(code(state.unbind(&call(""), &ids, None)), "FailedOperation");
    hours(&mut state, 24);
    assert_eq!(code(state.bind(&call(""), &ids, "small")), "OperationDenied");
}

#[test]
fn binding_several_is_all_or_nothing() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Day);
    let new = NewProject { id: Some("p".to_owned()), scale: "S1".to_owned(), ..NewProject::default() };
    state.create_project("default", new).unwrap();
    assert!(state.bind(&call(""), &[id.clone(), "nothing".to_owned()], "p").is_err());
    assert_eq!(state.instance(&id).unwrap().project_id, None);
}

#[test]
fn an_old_view_shows_what_was_there_then() {
    let mut state = cloud();
    let id = buy_one(&mut state, PeriodUnit::Month);
    let then = state.now();
    hours(&mut state, 1);
    state.rename(&call(""), &id, "renamed").unwrap();
    buy_one(&mut state, PeriodUnit::Day);
    let old = View { as_of: Some(then), rotate: 0 };
    let names =
        |view| state.packages("default", &[], view).unwrap().into_iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names(old), ["concert"]);
    assert_eq!(names(View::default()), ["renamed", "concert"]);
    assert_eq!(names(View { as_of: None, rotate: 1 }), ["concert", "renamed"]);
}

#[test]
fn a_person_in_the_console_is_not_held_to_the_limits_of_the_api() {
    let mut state = cloud();
    settings(&mut state, |settings| (settings.api_purchase, settings.day_unit) = (false, false));
    let buy = ConsoleBuy::new("by hand", BillingMode::Daily, "ap-tokyo", "M1");
    let id = state.console_buy(&buy).unwrap().instance_ids.remove(0);
    state.console_renew(&id, 2).unwrap();
    let actions: Vec<&str> = state.ledger().iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["ConsoleCreateInstance", "ConsoleRenewInstance"]);
    assert_eq!(state.ledger()[1].amount_cents, 2 * 5_900);
    state.console_vanish(&id).unwrap();
    assert!(state.instances().is_empty());
}

#[test]
fn accounts_do_not_see_each_other() {
    let mut state = cloud();
    let key = crate::AccessKey::lasting("b", "b");
    let other = AccountConfig { id: "other".to_owned(), keys: vec![key], ..AccountConfig::default() };
    state.add_account(other).unwrap();
    let id = buy_one(&mut state, PeriodUnit::Day);
    let stranger = Call { account: "other".to_owned(), ..Call::default() };
    assert_eq!(code(state.renew_instance(&stranger, &renewal(&id, 1, PeriodUnit::Day))), "InvalidParameterValue");
    assert!(state.packages("other", &[], View::default()).unwrap().is_empty());
    assert!(state.add_account(AccountConfig { id: "third".to_owned(), ..AccountConfig::default() }).is_err());
}
