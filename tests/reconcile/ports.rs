//! The production adapter and the direct port give the same answers: what is proven over the direct port, by the table, the properties and the model check,
//! holds over the adapter. In: calls of any kind and order, and what goes wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use cloudfront_simulator::{
    Account, Millis, Switches, Timestamp,
    admin::{GroupPatch, NewGroup as Outside, NewList, NewTenant},
    switches::IpAddressType,
};
use connection_group_operator::cloudfront::{
    AnycastIpListId, ApiError, Arn, CloudFront, Config, ErrorClass, Group, GroupId, GroupName, Lookup, Members,
    NewGroup, Operation, Summary, Tags, Tenants,
};
use port::{Answer, AnsweredBy, Answering, CODES, Call, Fault, InProcess, LeftOut, Way, now};
use proptest::{prelude::*, sample::select};

const START: Timestamp = Timestamp(1_800_000_000_000);
const NAMES: [&str; 4] = ["edge", "other", "third", "new"];

/// Three groups, tenants behind the first, and two Anycast lists.
fn account(page_size: u32) -> (Account, Vec<AnycastIpListId>) {
    let mut account = Account::new(Switches { page_size, tag_lag: Millis::seconds(30), ..Switches::default() });
    for name in &NAMES[..3] {
        let viewer_fallback = (*name == "edge").then(|| "E1ABC".to_owned());
        let tags = [("team".to_owned(), format!("{name} & sons"))].into();
        account.outside_create_group(START, Outside { viewer_fallback, tags, ..Outside::named(*name) }).unwrap();
    }
    for tenant in ["shop", "blog"] {
        account.outside_create_tenant(START, NewTenant::behind("edge", tenant)).unwrap();
    }
    let lists = [IpAddressType::Ipv4, IpAddressType::Dualstack].map(|family| NewList::named("list", family));
    let lists = lists.map(|list| AnycastIpListId::new(account.outside_create_list(START, list).id));
    (account, lists.into_iter().chain([AnycastIpListId::new("aip_nowhere")]).collect())
}

/// The calls, with groups and lists by their number.
#[derive(Clone, Copy, Debug)]
enum Ask {
    ByName(&'static str),
    /// The id and the ARN may be those of two groups.
    Known(usize, usize),
    Tags(usize),
    Create(&'static str, Option<usize>),
    Update(usize, Option<bool>, Option<bool>, Wanted),
    Delete(usize),
    Tag(usize, &'static str),
    Untag(usize, &'static str),
    Tenants(usize),
    List(usize),
    All,
}

/// Which Anycast list an update wants.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    AsRead,
    Nothing,
    List(usize),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(Ask),
    Fail(Operation, Fault),
    LeaveOut(LeftOut),
    LeaveNothingOut,
    SomeoneEdits(&'static str, bool),
    SomeoneDeletes(&'static str),
    Time(u32),
}

fn ask() -> impl Strategy<Value = Ask> {
    let (name, number) = (|| select(&NAMES[..]), || 0..4_usize);
    let key = || select(vec!["team", "stage", ""]);
    let wanted =
        prop_oneof![2 => Just(Wanted::AsRead), 1 => Just(Wanted::Nothing), 1 => (0..3_usize).prop_map(Wanted::List)];
    prop_oneof![
        3 => name().prop_map(Ask::ByName),
        3 => (number(), number()).prop_map(|(id, arn)| Ask::Known(id, arn)),
        1 => number().prop_map(Ask::Tags),
        1 => (name(), any::<Option<bool>>()).prop_map(|(name, listed)| Ask::Create(name, listed.map(usize::from))),
        3 => (number(), any::<Option<bool>>(), any::<Option<bool>>(), wanted)
            .prop_map(|(group, enabled, ipv6, list)| Ask::Update(group, enabled, ipv6, list)),
        2 => number().prop_map(Ask::Delete),
        1 => (number(), key()).prop_map(|(group, key)| Ask::Tag(group, key)),
        1 => (number(), key()).prop_map(|(group, key)| Ask::Untag(group, key)),
        3 => number().prop_map(Ask::Tenants),
        1 => (0..3_usize).prop_map(Ask::List),
        3 => Just(Ask::All),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        select(ErrorClass::ALL).prop_map(Fault::Error),
        select(vec![
            Fault::UnknownCode,
            Fault::AnswerLost,
            Fault::AnsweredWrongly,
            Fault::AnsweredWithTheOldSwitch,
            Fault::Stale,
            Fault::EmptyPage,
            Fault::RepeatedMarker,
            Fault::ListLeftOut,
            Fault::Lacking,
        ]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => ask().prop_map(Step::Ask),
        4 => (select(Operation::ALL), fault()).prop_map(|(operation, fault)| Step::Fail(operation, fault)),
        1 => select(&LeftOut::ALL[..]).prop_map(Step::LeaveOut),
        1 => Just(Step::LeaveNothingOut),
        1 => (select(&NAMES[..]), any::<bool>()).prop_map(|(name, ipv6)| Step::SomeoneEdits(name, ipv6)),
        1 => select(&NAMES[..]).prop_map(Step::SomeoneDeletes),
        1 => (0..200_u32).prop_map(Step::Time),
    ]
}

/// The call, if there are such groups; some of them may be gone by now.
fn call(ask: Ask, groups: &[Group], lists: &[AnycastIpListId]) -> Option<Call> {
    let tags = |key: &str| Tags::from([(key.to_owned(), "edge & <co>".to_owned())]);
    Some(match ask {
        Ask::ByName(name) => Call::Describe(Lookup::Name(GroupName::new(name))),
        Ask::Known(id, arn) => {
            Call::Describe(Lookup::Known { id: groups.get(id)?.id.clone(), arn: groups.get(arn)?.arn.clone() })
        }
        Ask::Tags(group) => Call::Tags(groups.get(group)?.arn.clone()),
        Ask::Create(name, list) => {
            let anycast_ip_list_id = list.map(|list| lists[list].clone());
            let config = Config { enabled: true, ipv6_enabled: false, anycast_ip_list_id };
            Call::Create(NewGroup { name: GroupName::new(name), config, tags: tags("team") })
        }
        Ask::Update(group, enabled, ipv6_enabled, list) => {
            let read = groups.get(group)?;
            let anycast_ip_list_id = match list {
                Wanted::AsRead => read.config.anycast_ip_list_id.clone(),
                Wanted::Nothing => None,
                Wanted::List(list) => Some(lists[list].clone()),
            };
            let ipv6_enabled = ipv6_enabled.or(read.config.ipv6_enabled);
            Call::Update(read.clone(), Members { enabled, ipv6_enabled, anycast_ip_list_id })
        }
        Ask::Delete(group) => Call::Delete(groups.get(group)?.clone()),
        Ask::Tag(group, key) => Call::Tag(groups.get(group)?.arn.clone(), tags(key)),
        Ask::Untag(group, key) => Call::Untag(groups.get(group)?.arn.clone(), BTreeSet::from([key.to_owned()])),
        Ask::Tenants(group) => {
            Call::Tenants(groups.get(group).map_or(GroupId::new("cg_nowhere"), |read| read.id.clone()))
        }
        Ask::List(list) => Call::AnycastIpList(lists[list].clone()),
        Ask::All => Call::List,
    })
}

/// The answer without its texts.
fn wordless(call: &Call, answer: Answer) -> Answer {
    match answer.error() {
        Some(error) => call.failed(ApiError { message: String::new(), request_id: None, ..error.clone() }),
        None => answer,
    }
}

/// The same account twice, and the two ways to reach it.
fn both(account: &Account) -> [InProcess; 2] {
    [Way::Direct, Way::Adapter].map(|way| InProcess::new(way, account.clone(), START))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_adapter_and_the_direct_port_give_the_same_answers(
        page_size in 1..4_u32,
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let (account, lists) = account(page_size);
        let ports = both(&account);
        let (mut groups, mut time) = (Vec::<Group>::new(), START);
        for step in steps {
            match step {
                Step::Fail(operation, fault) => ports.iter().for_each(|port| port.may_fail(operation, fault)),
                Step::LeaveOut(member) => ports.iter().for_each(|port| port.leave_out([member])),
                Step::LeaveNothingOut => ports.iter().for_each(InProcess::leave_nothing_out),
                Step::SomeoneEdits(name, ipv6) => {
                    let patch = GroupPatch { ipv6_enabled: Some(ipv6), ..GroupPatch::default() };
                    for port in &ports {
                        // There is no group of that name, or its list is IPv4-only.
                        let _ = port.account(|account, now| account.outside_edit_group(now, name, patch.clone()));
                    }
                }
                Step::SomeoneDeletes(name) => {
                    for port in &ports {
                        let _ = port.account(|account, now| account.outside_delete_group(now, name));
                    }
                }
                Step::Time(seconds) => {
                    time = Timestamp(time.0 + i64::from(seconds) * 1000);
                    for port in &ports {
                        port.set_now(time);
                    }
                }
                Step::Ask(ask) => {
                    let Some(call) = call(ask, &groups, &lists) else { continue };
                    let [direct, adapter] = ports.each_ref().map(|port| wordless(&call, now(port.answer(call.clone()))));
                    prop_assert_eq!(&direct, &adapter, "{:?}", call);
                    let [mut direct_calls, mut adapter_calls] = ports.each_ref().map(InProcess::take_calls);
                    direct_calls.sort();
                    adapter_calls.sort();
                    prop_assert_eq!(direct_calls, adapter_calls, "{:?}", call);
                    match direct {
                        Answer::Described(Ok(Some(read))) => groups.insert(0, read.group),
                        Answer::Group(Ok(group)) => groups.insert(0, group),
                        Answer::Described(_) | Answer::Group(_) | Answer::Tags(_) | Answer::Done(_) | Answer::Tenants(_)
                        | Answer::AnycastIpList(_) | Answer::Listed(_) => {}
                    }
                }
            }
            let [direct, adapter] = ports.each_ref().map(|port| port.account(|account, _| account.clone()));
            prop_assert!(direct == adapter, "{:?}\n{:?}", direct, adapter);
        }
    }
}

/// The adapter in front of the account, with three groups in pages of that size, once their tags show.
fn adapter(page_size: u32) -> AnsweredBy<InProcess> {
    AnsweredBy(InProcess::new(Way::Adapter, account(page_size).0, Timestamp(START.0 + 60_000)))
}

fn names(answer: Result<Vec<Summary>, ApiError>) -> Vec<String> {
    answer.unwrap().into_iter().map(|row| row.name.to_string()).collect()
}

fn read(port: &AnsweredBy<InProcess>, name: &str) -> Group {
    now(port.describe(&Lookup::Name(GroupName::new(name)))).unwrap().unwrap().group
}

#[test]
fn a_list_has_every_page_even_behind_an_empty_one() {
    for page_size in 1..4 {
        let port = adapter(page_size);
        assert_eq!(names(now(port.list())), NAMES[..3]);
        port.fail(Operation::ListConnectionGroups, Fault::EmptyPage);
        assert_eq!(names(now(port.list())), NAMES[..3], "pages of {page_size}");
    }
}

#[test]
fn a_list_whose_pages_form_a_loop_is_an_error_and_ends() {
    let port = adapter(1);
    port.keep_failing(Operation::ListConnectionGroups, Fault::RepeatedMarker);
    assert_eq!(now(port.list()).unwrap_err().class, ErrorClass::Unexpected);
    assert!(port.take_calls().len() < 4);
}

#[test]
fn tenants_beyond_an_empty_page_are_counted() {
    let port = adapter(1);
    let id = read(&port, "edge").id;
    port.fail(Operation::ListDistributionTenants, Fault::EmptyPage);
    let tenants = now(port.tenants(&id)).unwrap();
    assert_eq!((tenants.count, tenants.any()), (0, true));
    let Tenants { count, beyond_this_page, .. } = now(port.tenants(&id)).unwrap();
    assert_eq!((count, beyond_this_page), (1, true), "one page of two");
}

#[test]
fn the_tags_are_those_of_the_group_that_was_read_whatever_arn_was_known() {
    let port = adapter(100);
    let [edge, other] = ["edge", "other"].map(|name| read(&port, name));
    let known = |arn: &Arn| Lookup::Known { id: edge.id.clone(), arn: arn.clone() };
    for arn in [&edge.arn, &other.arn, &Arn::new("arn:aws:cloudfront::1:connection-group/cg_nowhere")] {
        let described = now(port.describe(&known(arn))).unwrap().unwrap();
        assert_eq!(described.tags, BTreeMap::from([("team".to_owned(), "edge & sons".to_owned())]), "{arn}");
    }
}

/// A call of the port that makes this call of CloudFront.
fn call_that_makes(operation: Operation, group: &Group) -> Call {
    let config = Config { enabled: true, ipv6_enabled: true, anycast_ip_list_id: None };
    let tags = Tags::from([("team".to_owned(), "edge".to_owned())]);
    match operation {
        Operation::CreateConnectionGroup => Call::Create(NewGroup { name: GroupName::new("new"), config, tags }),
        Operation::GetConnectionGroup => Call::Describe(Lookup::Name(group.name.clone())),
        Operation::UpdateConnectionGroup => Call::Update(group.clone(), config.into()),
        Operation::DeleteConnectionGroup => Call::Delete(group.clone()),
        Operation::ListConnectionGroups => Call::List,
        Operation::TagResource => Call::Tag(group.arn.clone(), tags),
        Operation::UntagResource => Call::Untag(group.arn.clone(), BTreeSet::from(["team".to_owned()])),
        Operation::ListTagsForResource => Call::Tags(group.arn.clone()),
        Operation::ListDistributionTenants => Call::Tenants(group.id.clone()),
        Operation::GetAnycastIpList => Call::AnycastIpList(AnycastIpListId::new("aip_nowhere")),
    }
}

/// Reads whose `NotFound` is an answer and no error.
const MAY_FIND_NOTHING: [Operation; 3] =
    [Operation::GetConnectionGroup, Operation::ListTagsForResource, Operation::GetAnycastIpList];

#[test]
fn every_documented_error_code_means_the_same_at_every_operation() {
    let port = adapter(100);
    let group = read(&port, "third");
    for operation in Operation::ALL.iter().copied() {
        let call = call_that_makes(operation, &group);
        for (code, status, class) in CODES {
            port.fail(operation, Fault::Code(status, code));
            let answer = now(port.answer(call.clone()));
            let error = answer.error().map(|error| (error.class, error.code.as_deref()));
            let expected = (class != ErrorClass::NotFound || !MAY_FIND_NOTHING.contains(&operation))
                .then_some((class, Some(code)));
            assert_eq!(error, expected, "{code} with {status} at {operation}");
        }
    }
}

#[test]
fn every_class_of_error_occurs() {
    let met = CODES.iter().map(|(.., class)| *class).chain([ErrorClass::TimedOut, ErrorClass::Unreachable]);
    assert_eq!(met.collect::<BTreeSet<_>>(), ErrorClass::ALL.iter().copied().collect());
}
