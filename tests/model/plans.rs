//! What a reconcile planned, by name. In: a reconcile that has ended. Out: the name of its first plan. Runs the production steps over its log.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use connection_group_operator::reconcile::{
    Inputs, ObjectView, Settings, desired::Intent, freshness::UpToDate, observe::observe, plan::plan,
};
use port::{AnsweredBy, PlanName};

use crate::{
    replay::{Replay, Views},
    state::Pass,
};

/// The name of what the reconcile planned first; `None` if a failed read prevented planning.
pub fn plan_of(pass: &Pass, settings: &Settings) -> Option<PlanName> {
    let port = Replay::new(&pass.input, &pass.log, Views::default());
    let around = Inputs {
        port: &AnsweredBy(&port),
        settings,
        snapshot: pass.input.snapshot.as_deref(),
        inventory_error: pass.input.inventory_error.as_ref(),
        clock: &port,
        freshness: &UpToDate,
    };
    let intent = Intent::of(&pass.input.object);
    let known = ObjectView::of(&pass.input.object, &pass.input.memory, &around);
    let looked = pin!(observe(&intent, &known, &pass.input.memory, &around));
    match looked.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(observed)) => Some(PlanName::of(&plan(&intent, observed, &known, settings))),
        Poll::Ready(Err(_)) | Poll::Pending => None,
    }
}
