//! The admin path: what a test wants to know or to happen comes in as JSON, see [`crate::admin`]. Talks to the account.

use std::sync::Arc;

use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::account::OutsideError;
use crate::admin::{
    AdminError, AnycastIpList, Clock, ClockAdvance, DistributionTenant, FaultCreated, FaultId, FaultRule, FaultStatus,
    GroupPatch, GroupState, ListPatch, LoggedCall, NewGroup, NewList, NewTenant, State,
};
use crate::switches::Switches;
use crate::time::Millis;

use super::simulator::Simulator;

type Sim = Shared<Arc<Simulator>>;

/// Every admin route.
pub(super) fn router(simulator: Arc<Simulator>) -> Router {
    Router::new()
        .route("/_admin/requests", get(requests).delete(clear_requests))
        .route("/_admin/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_admin/faults/{id}", axum::routing::delete(delete_fault))
        .route("/_admin/faults/{id}/release", post(release_fault))
        .route("/_admin/clock", get(clock).post(advance_clock))
        .route("/_admin/state", get(state))
        .route("/_admin/switches", get(switches).put(set_switches))
        .route("/_admin/groups", post(create_group))
        .route("/_admin/groups/{name}", patch(edit_group).delete(delete_group))
        .route("/_admin/default-group", post(create_default_group))
        .route("/_admin/anycast-lists", post(create_list))
        .route("/_admin/anycast-lists/{id}", patch(edit_list).delete(delete_list))
        .route("/_admin/tenants", post(create_tenant))
        .route("/_admin/tenants/{id}", axum::routing::delete(delete_tenant))
        .fallback(unknown_path)
        .with_state(simulator)
}

/// What the admin path cannot do.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(AdminError { error: self.1 })).into_response()
    }
}

impl From<OutsideError> for Refusal {
    fn from(error: OutsideError) -> Self {
        let status = match error {
            OutsideError::Unknown { .. } => StatusCode::NOT_FOUND,
            OutsideError::NameTaken(_) => StatusCode::CONFLICT,
        };
        Self(status, error.to_string())
    }
}

async fn unknown_path() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, "there is no such admin path, or not with this method".to_owned())
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn requests(Shared(sim): Sim, Query(Since { since }): Query<Since>) -> Json<Vec<LoggedCall>> {
    Json(sim.lock().log.iter().filter(|call| call.seq > since).cloned().collect())
}

async fn clear_requests(Shared(sim): Sim) -> StatusCode {
    sim.lock().log.clear();
    StatusCode::NO_CONTENT
}

async fn faults(Shared(sim): Sim) -> Json<Vec<FaultStatus>> {
    Json(sim.lock().faults.list())
}

async fn add_fault(Shared(sim): Sim, Json(rule): Json<FaultRule>) -> (StatusCode, Json<FaultCreated>) {
    let id = sim.lock().faults.add(rule);
    (StatusCode::CREATED, Json(FaultCreated { id }))
}

async fn clear_faults(Shared(sim): Sim) -> StatusCode {
    sim.lock().faults.clear();
    StatusCode::NO_CONTENT
}

async fn delete_fault(Shared(sim): Sim, Path(id): Path<FaultId>) -> Result<StatusCode, Refusal> {
    let found = sim.lock().faults.remove(id);
    done_if(found, id)
}

async fn release_fault(Shared(sim): Sim, Path(id): Path<FaultId>) -> Result<StatusCode, Refusal> {
    let found = sim.lock().faults.release(id);
    done_if(found, id)
}

fn done_if(found: bool, id: FaultId) -> Result<StatusCode, Refusal> {
    let refusal = || Refusal(StatusCode::NOT_FOUND, format!("there is no fault {id}"));
    found.then_some(StatusCode::NO_CONTENT).ok_or_else(refusal)
}

async fn clock(Shared(sim): Sim) -> Json<Clock> {
    Json(Clock { now: sim.lock().now() })
}

async fn advance_clock(Shared(sim): Sim, Json(advance): Json<ClockAdvance>) -> Json<Clock> {
    let mut shared = sim.lock();
    shared.clock_ahead = Millis(shared.clock_ahead.0.saturating_add(advance.advance_ms));
    Json(Clock { now: shared.now() })
}

async fn state(Shared(sim): Sim) -> Json<State> {
    let shared = sim.lock();
    let now = shared.now();
    Json(State {
        now,
        groups: shared.account.groups(now),
        anycast_ip_lists: shared.account.anycast_ip_lists(now),
        tenants: shared.account.tenants(),
    })
}

async fn switches(Shared(sim): Sim) -> Json<Switches> {
    Json(*sim.lock().account.switches())
}

async fn set_switches(Shared(sim): Sim, Json(changes): Json<Map<String, Value>>) -> Result<Json<Switches>, Refusal> {
    let mut shared = sim.lock();
    let unreadable = |error: serde_json::Error| Refusal(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
    let mut all = serde_json::to_value(shared.account.switches()).map_err(unreadable)?;
    if let Value::Object(all) = &mut all {
        all.extend(changes);
    }
    let switches = serde_json::from_value(all).map_err(unreadable)?;
    shared.account.set_switches(switches);
    Ok(Json(switches))
}

async fn create_group(Shared(sim): Sim, Json(new): Json<NewGroup>) -> Result<(StatusCode, Json<GroupState>), Refusal> {
    let mut shared = sim.lock();
    let now = shared.now();
    Ok((StatusCode::CREATED, Json(shared.account.outside_create_group(now, new)?)))
}

async fn edit_group(
    Shared(sim): Sim,
    Path(name): Path<String>,
    Json(patch): Json<GroupPatch>,
) -> Result<Json<GroupState>, Refusal> {
    let mut shared = sim.lock();
    let now = shared.now();
    Ok(Json(shared.account.outside_edit_group(now, &name, patch)?))
}

async fn delete_group(Shared(sim): Sim, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    let mut shared = sim.lock();
    let now = shared.now();
    shared.account.outside_delete_group(now, &name)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn create_default_group(Shared(sim): Sim) -> (StatusCode, Json<GroupState>) {
    let mut shared = sim.lock();
    let now = shared.now();
    (StatusCode::CREATED, Json(shared.account.outside_create_default_group(now)))
}

async fn create_list(Shared(sim): Sim, Json(new): Json<NewList>) -> (StatusCode, Json<AnycastIpList>) {
    let mut shared = sim.lock();
    let now = shared.now();
    (StatusCode::CREATED, Json(shared.account.outside_create_list(now, new)))
}

async fn edit_list(
    Shared(sim): Sim,
    Path(id): Path<String>,
    Json(patch): Json<ListPatch>,
) -> Result<Json<AnycastIpList>, Refusal> {
    let mut shared = sim.lock();
    let now = shared.now();
    Ok(Json(shared.account.outside_edit_list(now, &id, &patch)?))
}

async fn delete_list(Shared(sim): Sim, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    sim.lock().account.outside_delete_list(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn create_tenant(
    Shared(sim): Sim,
    Json(new): Json<NewTenant>,
) -> Result<(StatusCode, Json<DistributionTenant>), Refusal> {
    let mut shared = sim.lock();
    let now = shared.now();
    Ok((StatusCode::CREATED, Json(shared.account.outside_create_tenant(now, new)?)))
}

async fn delete_tenant(Shared(sim): Sim, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    let mut shared = sim.lock();
    let now = shared.now();
    shared.account.outside_delete_tenant(now, &id)?;
    Ok(StatusCode::NO_CONTENT)
}
