//! Tests of the queue in virtual time: hours with hundreds of objects, at the promised rates.

use std::collections::VecDeque;

use super::*;
use Operation::{CreateConnectionGroup as CREATE, GetConnectionGroup as GET, ListTagsForResource as TAGS};

fn seconds(n: f64) -> Duration {
    Duration::from_secs_f64(n)
}

/// How long one call takes.
const LATENCY: Duration = Duration::from_millis(50);

/// The maximum backoff of a reconcile.
const BACKOFF: Duration = Duration::from_mins(5);

/// Makes these calls in one reservation; returns how long it waited for the first.
async fn reconcile(queue: &CallQueue, class: Class, calls: &[Operation]) -> Duration {
    let came = Instant::now();
    let reservation = queue.reserve(class);
    let mut waited = None;
    for operation in calls {
        let admitted = tokio::time::timeout(Duration::from_hours(3), reservation.admit(*operation)).await;
        admitted.expect("its turn comes").expect("nothing is throttled");
        waited.get_or_insert_with(|| came.elapsed());
        tokio::time::sleep(LATENCY).await;
    }
    waited.unwrap_or_default()
}

/// The longest time between two starts of each task's work.
#[derive(Clone, Default)]
struct Gaps(Arc<Mutex<BTreeMap<usize, Gap>>>);

struct Gap {
    last: Instant,
    longest: Duration,
    times: u32,
}

impl Gaps {
    fn note(&self, task: usize) {
        let now = Instant::now();
        let mut gaps = self.0.lock();
        let gap = gaps.entry(task).or_insert(Gap { last: now, longest: Duration::ZERO, times: 0 });
        *gap = Gap { last: now, longest: gap.longest.max(now - gap.last), times: gap.times + 1 };
    }

    /// The longest gap of all, including those that have not ended, and the smallest number of starts.
    fn longest_and_fewest(&self) -> (Duration, u32) {
        let gaps = self.0.lock();
        let longest = gaps.values().map(|gap| gap.longest.max(gap.last.elapsed())).max();
        (longest.unwrap_or_default(), gaps.values().map(|gap| gap.times).min().unwrap_or_default())
    }
}

#[tokio::test(start_paused = true)]
async fn with_600_failing_objects_an_edit_is_served_within_2_s_each_of_them_within_backoff_and_round_and_lists_continue()
 {
    const OBJECTS: usize = 600;
    let queue = CallQueue::new(2.0, 10);
    let (tried, calls) = (Gaps::default(), Arc::new(AtomicU64::new(0)));
    for object in 0..OBJECTS {
        let (queue, tried, calls) = (queue.clone(), tried.clone(), Arc::clone(&calls));
        tokio::spawn(async move {
            for failures in 0.. {
                reconcile(&queue, Class::Background, &[GET, TAGS]).await;
                tried.note(object);
                calls.fetch_add(2, Ordering::SeqCst);
                let jitter = u32::try_from(object % 20).unwrap();
                tokio::time::sleep(seconds(30.0 * 2_f64.powi(failures)).min(BACKOFF) * (100 - jitter) / 100).await;
            }
        });
    }
    let lists = {
        let queue = queue.clone();
        tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            for _ in 0..180 {
                let list = [Operation::ListConnectionGroups; 6];
                longest = longest.max(reconcile(&queue, Class::Inventory, &list).await);
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            longest
        })
    };
    let began = Instant::now();
    let (mut longest, mut edits) = (Duration::ZERO, 0);
    while began.elapsed() < Duration::from_hours(3) {
        tokio::time::sleep(seconds(29.3)).await;
        longest =
            longest.max(reconcile(&queue, Class::UserRequest, &[GET, TAGS, Operation::UpdateConnectionGroup]).await);
        edits += 1;
    }
    assert!(longest <= seconds(2.0), "an edit waited for {longest:?}");
    // A round is one start of each of them; other calls are made in the same time: an inventory of six pages a minute, and the edits.
    let others = 6.0 / 60.0 + 3.0 / 29.3;
    let round = seconds(600.0 * 2.0 / (2.0 - others));
    let (gap, times) = tried.longest_and_fewest();
    assert!(gap <= BACKOFF + round, "one was not tried for {gap:?}");
    assert!(times >= 10, "one was tried {times} times only");
    let inventory = lists.await.unwrap();
    assert!(inventory <= seconds(15.0), "a list waited for {inventory:?}");
    let all = calls.load(Ordering::SeqCst) + 3 * edits;
    let allowed = 2.0 * began.elapsed().as_secs_f64() + 10.0 + 6.0;
    assert!(f64::from(u32::try_from(all).unwrap()) <= allowed, "{all} calls without the lists, and {allowed} allowed");
}

#[tokio::test(start_paused = true)]
async fn with_100_objects_throttled_at_half_a_call_a_second_an_edit_is_served_within_2_s_and_each_of_them_in_its_round()
{
    const OBJECTS: usize = 100;
    let queue = CallQueue::new(0.5, 10);
    let (sent, refused) = (Gaps::default(), Arc::new(AtomicU64::new(0)));
    for object in 0..OBJECTS {
        let (queue, sent, refused) = (queue.clone(), sent.clone(), Arc::clone(&refused));
        tokio::spawn(async move {
            loop {
                let reservation = queue.reserve(Class::Progress);
                if sent.0.lock().contains_key(&object) {
                    reservation.ask_for(Class::Progress, [CREATE]);
                }
                let admitted = reservation.admit(CREATE).await;
                drop(reservation);
                match admitted {
                    Ok(()) => {
                        sent.note(object);
                        queue.throttled(CREATE);
                    }
                    Err(Slowed) => drop(refused.fetch_add(1, Ordering::SeqCst)),
                }
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        });
    }
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    while began.elapsed() < Duration::from_hours(12) {
        tokio::time::sleep(seconds(61.7)).await;
        longest = longest.max(reconcile(&queue, Class::UserRequest, &[GET, TAGS]).await);
    }
    assert!(longest <= seconds(2.0), "an edit waited for {longest:?}");
    let (gap, times) = sent.longest_and_fewest();
    // All are throttled, all the time: the minimum rate of the operation is 1/32 of the account's rate.
    let round = seconds(100.0 / (0.5 / 32.0));
    assert!(gap <= Duration::from_secs(10) + round, "one was not sent for {gap:?}");
    assert!(times >= 5, "one was sent {times} times only");
    assert_eq!(refused.load(Ordering::SeqCst), 0, "a waiter for the operation has it when its turn comes");
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_one_reservation_do_not_wait_and_the_next_reservation_waits_until_they_are_paid_for() {
    let queue = CallQueue::new(0.5, 1);
    let first = queue.reserve(Class::Background);
    let began = Instant::now();
    for operation in [GET, TAGS, Operation::ListDistributionTenants, Operation::UpdateConnectionGroup] {
        first.admit(operation).await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    first.end();
    let next = queue.reserve(Class::UserRequest);
    next.admit(GET).await.unwrap();
    let paid = seconds(4.0 / 0.5);
    assert!((paid..paid + seconds(0.01)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_reservation_without_a_call_costs_nothing_and_an_unused_grant_is_returned() {
    let queue = CallQueue::new(1.0, 3);
    drop(queue.reserve(Class::UserRequest));
    let began = Instant::now();
    for _ in 0..3 {
        reconcile(&queue, Class::UserRequest, &[GET]).await;
    }
    assert_eq!(began.elapsed(), LATENCY * 3, "three of one call each fit into a burst of three");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_passes_its_turn_to_the_next_whatever_its_position() {
    let queue = CallQueue::new(1.0, 1);
    reconcile(&queue, Class::UserRequest, &[GET]).await;
    let [first, second, third, fourth] = [(); 4].map(|()| Arc::new(queue.reserve(Class::UserRequest)));
    let wait = |waiter: &Arc<Reservation>| {
        let waiter = Arc::clone(waiter);
        Box::pin(async move { waiter.admit(GET).await })
    };
    let mut waits = [&first, &second, &third, &fourth].map(wait).into_iter().collect::<VecDeque<_>>();
    for wait in &mut waits {
        assert!(futures::poll!(wait).is_pending());
    }
    // The first grants turns for all, and is dropped.
    waits.pop_front();
    drop(first);
    tokio::time::sleep(seconds(1.0)).await;
    // The second grants the turn to itself, and is dropped before it notices.
    assert!(futures::poll!(&mut waits[0]).is_pending());
    assert!(!second.has_begun());
    waits.pop_front();
    drop(second);
    let began = Instant::now();
    waits.pop_front().unwrap().await.unwrap();
    third.end();
    assert!(began.elapsed() <= seconds(0.01), "{:?}", began.elapsed());
    waits.pop_front().unwrap().await.unwrap();
    assert!(began.elapsed() <= seconds(1.1), "{:?}", began.elapsed());
    fourth.end();
    assert_eq!(queue.depths().map(|depth| depth.waiting), [0; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_asks_again_for_its_call_keeps_its_place_and_moves_up_on_a_user_request() {
    let queue = CallQueue::new(1.0, 1);
    reconcile(&queue, Class::UserRequest, &[GET]).await;
    let [first, second] = [(); 2].map(|()| queue.reserve(Class::Background));
    for waiter in [&first, &second, &first] {
        assert!(futures::poll!(Box::pin(waiter.admit(GET))).is_pending());
    }
    assert!(first.is_waiting() && !first.has_begun());
    let (rest, longest) = (queue.depths()[4], Duration::ZERO);
    assert_eq!(rest, Depth { class: Class::Background, waiting: 2, oldest: longest });
    second.ask_for(Class::UserRequest, []);
    assert_eq!(queue.depths().map(|depth| depth.waiting), [0, 1, 0, 0, 1]);
    let order = Mutex::new(Vec::new());
    let go = async |name: &'static str, waiter: &Reservation| {
        waiter.admit(GET).await.unwrap();
        order.lock().push(name);
        waiter.end();
    };
    tokio::join!(go("first", &first), go("second", &second));
    assert_eq!(*order.lock(), ["second", "first"]);
}

/// The reads that check whether a tenant has appeared at a group that its deletion has taken out of service.
const TENANT_CHECK: [Operation; 3] = [GET, TAGS, Operation::ListDistributionTenants];

/// Such checks of this many groups, each one half a minute after the last.
fn deletions_under_way(queue: &CallQueue, groups: usize, checked: &Gaps) {
    for group in 0..groups {
        let (queue, checked) = (queue.clone(), checked.clone());
        tokio::spawn(async move {
            loop {
                reconcile(&queue, Class::Progress, &TENANT_CHECK).await;
                checked.note(group);
                tokio::time::sleep(seconds(30.0)).await;
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn with_600_groups_disabled_for_deletion_an_edit_is_served_within_2_s_and_each_of_them_is_read_in_its_round() {
    let queue = CallQueue::new(2.0, 10);
    let checked = Gaps::default();
    deletions_under_way(&queue, 600, &checked);
    let began = Instant::now();
    let (mut longest, mut edits) = (Duration::ZERO, 0);
    while began.elapsed() < Duration::from_hours(3) {
        tokio::time::sleep(seconds(29.3)).await;
        longest =
            longest.max(reconcile(&queue, Class::UserRequest, &[GET, TAGS, Operation::UpdateConnectionGroup]).await);
        edits += 1;
    }
    assert!(longest <= seconds(2.0), "one of {edits} edits waited for {longest:?}");
    // No rule can check all of them every half minute: that would be 60 calls a second.
    let round = seconds(600.0 * 3.0 / (2.0 - 3.0 / 29.3));
    let (gap, _) = checked.longest_and_fewest();
    assert!(gap <= round + seconds(30.0), "one was not read for {gap:?}");
}

#[tokio::test(start_paused = true)]
async fn beside_600_failing_objects_ten_groups_disabled_for_deletion_are_read_about_every_half_minute() {
    let queue = CallQueue::new(2.0, 10);
    for _ in 0..600 {
        let queue = queue.clone();
        tokio::spawn(async move {
            loop {
                reconcile(&queue, Class::Background, &[GET, TAGS]).await;
                tokio::time::sleep(BACKOFF).await;
            }
        });
    }
    let checked = Gaps::default();
    deletions_under_way(&queue, 10, &checked);
    tokio::time::sleep(Duration::from_hours(3)).await;
    let (gap, times) = checked.longest_and_fewest();
    assert!(gap <= seconds(35.0), "one was not read for {gap:?}");
    assert!(times >= 300, "one was read only {times} times");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_create_delays_no_read_and_fails_at_once_within_a_reservation() {
    let queue = CallQueue::new(2.0, 100);
    queue.throttled(CREATE);
    assert_eq!(queue.slowed(), [(CREATE, 1.0)]);
    let began = Instant::now();
    let reads = queue.reserve(Class::Background);
    for _ in 0..20 {
        reads.admit(GET).await.unwrap();
    }
    assert_eq!(reads.admit(CREATE).await, Err(Slowed), "nothing waits between a read and a change");
    assert_eq!(began.elapsed(), Duration::ZERO);
    let again = queue.reserve(Class::Progress);
    again.ask_for(Class::Progress, [CREATE]);
    again.admit(GET).await.unwrap();
    again.admit(CREATE).await.unwrap();
    let waited = began.elapsed();
    assert!(waited > seconds(0.9) && waited < seconds(1.1), "it waited for Create before its reads: {waited:?}");
}
