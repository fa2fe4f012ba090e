//! One call of the API: an HTTP request comes in, an answer goes out, or none if a fault closes the connection.
//! Talks to the account, and waits as faults and latency demand.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{AUTHORIZATION, HeaderName, IF_MATCH};
use hyper::http::request::Parts;
use tokio::time::sleep;

use crate::account::{Freshness, exceeded};
use crate::admin::{Fault, FaultId, Moment};
use crate::error::{ErrorCode, ServiceError};
use crate::request::Request;
use crate::wire::{self, Answer, HttpRequest};

use super::simulator::{Arrived, Simulator};

/// What the call is answered with; `None` closes the connection.
pub(super) async fn answer(simulator: &Arc<Simulator>, parts: &Parts, body: &[u8]) -> Option<Answer> {
    let header = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let access_key_id = header(AUTHORIZATION).and_then(wire::access_key_id);
    let decoded = wire::decode(&HttpRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        if_match: header(IF_MATCH),
        body,
    });
    let Arrived { seq, request_id, fault } = simulator.lock().arrive(&decoded, access_key_id);
    let answer = match decoded {
        _ if access_key_id.is_none() => {
            let message = "The request has no Authorization header with an access key id.";
            let error = ServiceError::new(ErrorCode::MissingAuthenticationToken, message);
            Some(wire::encode(&Err(error), &request_id))
        }
        Err(error) => Some(wire::encode(&Err(error), &request_id)),
        Ok(request) => {
            let call = Call { simulator: Arc::clone(simulator), seq, request_id, request };
            match fault {
                None => Some(call.carry_out(Freshness::AsSwitched)),
                Some((id, fault)) => call.suffer(id, fault).await,
            }
        }
    }?;
    simulator.lock().note_answer(seq, &answer);
    sleep(simulator.latency()).await;
    Some(answer)
}

struct Call {
    simulator: Arc<Simulator>,
    seq: u64,
    request_id: String,
    request: Request,
}

impl Call {
    fn carry_out(&self, freshness: Freshness) -> Answer {
        let mut shared = self.simulator.lock();
        let outcome = shared.carry_out(self.seq, &self.request, freshness);
        let switches = shared.account.switches();
        let answer = wire::leave_out(wire::encode(&outcome, &self.request_id), switches.left_out);
        wire::done_as(answer, switches.done_answer)
    }

    async fn suffer(self, id: FaultId, fault: Fault) -> Option<Answer> {
        match fault {
            Fault::Error { status, code, message, when } => {
                self.carry_out_if(when);
                Some(wire::error_answer(status, &code, &message, &self.request_id))
            }
            Fault::Delay { ms } => {
                let answer = self.carry_out(Freshness::AsSwitched);
                sleep(Duration::from_millis(ms)).await;
                Some(answer)
            }
            Fault::Drop { when } => {
                self.carry_out_if(when);
                None
            }
            Fault::Hold { when: Moment::Before } => {
                self.is_released(id).await.then(|| self.carry_out(Freshness::AsSwitched))
            }
            Fault::Hold { when: Moment::After } => {
                let answer = self.carry_out(Freshness::AsSwitched);
                self.is_released(id).await.then_some(answer)
            }
            Fault::Late { ms } => {
                tokio::spawn(async move {
                    sleep(Duration::from_millis(ms)).await;
                    self.carry_out(Freshness::AsSwitched);
                });
                None
            }
            Fault::Throttle => {
                let error = exceeded(self.simulator.lock().account.switches());
                Some(wire::encode(&Err(error), &self.request_id))
            }
            Fault::StaleRead { versions } => Some(self.carry_out(Freshness::Stale { versions })),
            Fault::TagLag => Some(self.carry_out(Freshness::StaleTags)),
            Fault::Overtaken { edit } => {
                self.simulator.lock().overtake(&self.request, edit);
                Some(self.carry_out(Freshness::AsSwitched))
            }
            Fault::Raw { status, content_type, body, headers } => {
                let id = [("x-amzn-requestid".to_owned(), self.request_id)];
                let headers = id.into_iter().chain(headers).collect();
                Some(Answer { status, error: None, content_type: Some(content_type), headers, body })
            }
        }
    }

    fn carry_out_if(&self, when: Moment) {
        match when {
            Moment::Before => {}
            Moment::After => drop(self.carry_out(Freshness::AsSwitched)),
        }
    }

    /// Stands still at the gate of a fault: true if it was released, false if it was taken away.
    async fn is_released(&self, id: FaultId) -> bool {
        let gate = self.simulator.lock().faults.gate(id);
        match gate {
            Some(mut gate) => gate.changed().await.is_ok(),
            None => false,
        }
    }
}
