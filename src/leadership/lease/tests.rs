//! Tests of the rules alone, and of elections with a fake API server that is slow, or whose Lease someone deletes.

use futures::future::join_all;
use kube::api::ObjectMeta;
use tokio::time::sleep_until;

use super::{server::Server, *};
fn election_at(server: &Server) -> Election {
    let args = LeaderElectionArgs {
        enabled: true,
        lease: "lease".into(),
        namespace: None,
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_secs(1),
    };
    Election::new(server.client(), &args, Fence::default())
}

fn election() -> Election {
    election_at(&Server::default())
}

fn held_by(holder: &str, renewed: &str) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(holder.into()),
        lease_duration_seconds: Some(15),
        renew_time: Some(MicroTime(renewed.parse().unwrap())),
        ..LeaseSpec::default()
    };
    Lease { spec: Some(spec), metadata: ObjectMeta { uid: Some("first".into()), ..ObjectMeta::default() } }
}

fn made_anew(lease: Lease) -> Lease {
    Lease { metadata: ObjectMeta { uid: Some("second".into()), ..ObjectMeta::default() }, ..lease }
}

const LONG_AGO: &str = "2000-01-01T00:00:00Z";
const FAR_AHEAD: &str = "2100-01-01T00:00:00Z";

#[tokio::test(start_paused = true)]
async fn a_holder_leads_until_its_lease_was_not_renewed_for_its_duration_whatever_its_clock_says() {
    for renewed in [LONG_AGO, FAR_AHEAD] {
        let (mut election, start) = (election(), Instant::now());
        let spec = held_by("other", renewed);
        for (elapsed, rival) in [(0, true), (14, true), (15, false)] {
            let now = start + Duration::from_secs(elapsed);
            assert_eq!(election.rival(Some(&spec), now).is_some(), rival, "{renewed} after {elapsed} s");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_observed_renewal_starts_the_wait_again() {
    let (mut election, start) = (election(), Instant::now());
    assert!(election.rival(Some(&held_by("other", LONG_AGO)), start).is_some());
    let renewed = start + Duration::from_secs(14);
    assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), renewed).is_some());
    assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), renewed + Duration::from_secs(14)).is_some());
    assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), renewed + Duration::from_secs(15)).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_ours_released_or_absent_has_no_rival() {
    let (mut election, now) = (election(), Instant::now());
    assert!(election.rival(None, now).is_none());
    assert!(election.rival(Some(&held_by("", FAR_AHEAD)), now).is_none());
    let ours = held_by(&election.identity.clone(), FAR_AHEAD);
    assert!(election.rival(Some(&ours), now).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_someone_deleted_binds_until_its_end() {
    let (mut election, start) = (election(), Instant::now());
    assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), start).is_some());
    assert!(election.rival(None, start + Duration::from_secs(14)).is_some());
    assert!(election.rival(None, start + Duration::from_secs(15)).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_holder_is_counted_and_a_renewal_is_not() {
    let election = election();
    let taken = election.claimed(held_by("other", LONG_AGO));
    let spec = taken.spec.clone().unwrap();
    assert_eq!((spec.holder_identity.as_ref(), spec.lease_transitions), (Some(&election.identity), Some(0)));
    let renewed = election.claimed(taken).spec.unwrap();
    assert_eq!((renewed.lease_transitions, renewed.acquire_time), (Some(0), spec.acquire_time));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_someone_recreated_without_a_holder_binds_as_the_one_before_it() {
    let (mut election, start) = (election(), Instant::now());
    assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), start).is_some());
    let anew = made_anew(held_by("", FAR_AHEAD));
    assert!(election.rival(Some(&anew), start + Duration::from_secs(14)).is_some());
    assert!(election.rival(Some(&anew), start + Duration::from_secs(15)).is_none());
    let released = held_by("", FAR_AHEAD);
    assert!(election.rival(Some(&held_by("other", LONG_AGO)), start + Duration::from_secs(16)).is_some());
    assert!(election.rival(Some(&released), start + Duration::from_secs(17)).is_none(), "its holder released it");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_someone_recreated_binds_to_the_holder_that_it_names() {
    let (mut election, start) = (election(), Instant::now());
    assert!(election.rival(Some(&held_by("other", FAR_AHEAD)), start).is_some());
    let anew = made_anew(held_by("third", FAR_AHEAD));
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(election.rival(Some(&anew), at(10)).as_deref(), Some("third"));
    assert_eq!(election.rival(Some(&anew), at(24)).as_deref(), Some("third"));
    assert!(election.rival(Some(&anew), at(25)).is_none());
}

/// The server assigns a new uid.
fn unstored(lease: Lease) -> Lease {
    Lease { metadata: ObjectMeta::default(), ..lease }
}

/// Takes part in the election until the Lease is lost, or until the time `cut` is over.
async fn elected(election: &mut Election, cut: Duration) {
    let part = async {
        let until = election.win().await;
        election.keep(until).await
    };
    // The election is dropped at whatever point it has reached.
    let _ = timeout(cut, part).await;
}

/// Longer than any answer takes here.
const SOON: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn wherever_in_the_election_the_process_ends_the_lease_has_no_holder_afterwards() {
    let ms = Duration::from_millis;
    for (before, after) in [(ms(0), ms(0)), (ms(600), ms(0)), (ms(0), ms(600)), (ms(400), ms(400))] {
        for stored in [None, Some(held_by("", LONG_AGO))] {
            for cut in (0..120).map(|step| ms(50) * step + ms(25)) {
                let server = Server::holding(stored.clone()).slow(before, after);
                let mut election = election_at(&server);
                elected(&mut election, cut).await;
                let asked = Instant::now();
                election.release().await;
                assert!(asked.elapsed() <= RELEASE_PATIENCE && !election.fence.is_open());
                sleep(SOON).await;
                assert_eq!(server.holder(), None, "{before:?} {after:?} {stored:?}, ended after {cut:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_leaves_the_lease_to_another_holder() {
    let ms = Duration::from_millis;
    for cut in (0..60).map(|step| ms(50) * step + ms(25)) {
        let server = Server::holding(Some(held_by("other", LONG_AGO))).slow(ms(300), ms(300));
        let mut election = election_at(&server);
        elected(&mut election, cut).await;
        election.release().await;
        sleep(SOON).await;
        assert_eq!(server.holder().as_deref(), Some("other"), "ended after {cut:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_was_neither_answered_nor_stored_does_not_release_the_lease_of_the_next_holder() {
    let server = Server::default();
    let mut election = election_at(&server);
    elected(&mut election, Duration::from_millis(1500)).await;
    election.claim = LeaseClaim::InDoubt;
    server.store(held_by("other", LONG_AGO));
    election.release().await;
    assert_eq!(server.holder().as_deref(), Some("other"));
}

#[tokio::test(start_paused = true)]
async fn the_right_to_act_counts_from_before_a_renewal_was_sent_however_late_its_answer_arrives() {
    let (late, start) = (Duration::from_secs(2), Instant::now());
    let server = Server::default().slow(Duration::ZERO, late);
    let mut election = election_at(&server);
    let until = election.win().await;
    let deadline = election.args.renew_deadline;
    assert_eq!(until, start + late + deadline, "the answer to the read was late, too");
    sleep_until(until - Duration::from_millis(1)).await;
    assert!(election.fence.is_open());
    sleep_until(until).await;
    assert!(!election.fence.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_renewal_is_never_answered_gives_up_when_its_right_to_act_ends() {
    let server = Server::default();
    let mut election = election_at(&server);
    let until = election.win().await;
    server.stand_still(Duration::from_hours(1));
    let lost = election.keep(until).await;
    assert!(matches!(lost, Lost::NotRenewed(_)), "{lost}");
    assert!(Instant::now() <= until + Duration::from_millis(1), "{:?} too late", Instant::now() - until);
    assert!(!election.fence.is_open());
}

/// An out-of-band change of the Lease.
type Outside = fn(&Server);

#[tokio::test(start_paused = true)]
async fn whatever_happens_to_the_lease_two_processes_never_act_at_once() {
    let outside: [(&str, Outside); 5] = [
        ("nothing", |_| {}),
        ("deleted", Server::delete),
        ("recreated without a holder", |server| server.store(unstored(held_by("", LONG_AGO)))),
        ("recreated with another holder", |server| server.store(unstored(held_by("strange", LONG_AGO)))),
        ("not answered for twelve seconds", |server| server.stand_still(Duration::from_secs(12))),
    ];
    for (what, happens) in outside {
        for delay in [Duration::ZERO, Duration::from_millis(700)] {
            let server = Server::default().slow(delay, delay);
            let mut elections = [(); 3].map(|()| election_at(&server));
            let fences = elections.each_ref().map(|election| election.fence.clone());
            let acting = || fences.iter().filter(|fence| fence.is_open()).count();
            let parts = join_all(elections.iter_mut().map(async |election| {
                loop {
                    let until = election.win().await;
                    election.keep(until).await;
                }
            }));
            let watched = async {
                let mut led = Duration::ZERO;
                for step in 0..1000 {
                    assert!(acting() <= 1, "{what}, {delay:?}: {} act after {step} steps", acting());
                    if step % 250 == 100 {
                        happens(&server);
                    }
                    sleep(Duration::from_millis(100)).await;
                    led += Duration::from_millis(100) * u32::try_from(acting()).unwrap();
                }
                assert!(led > Duration::from_secs(20), "{what}, {delay:?}: another process leads, {led:?}");
            };
            tokio::select! {
                () = watched => {}
                never = parts => { let _: Vec<()> = never; }
            }
        }
    }
}
