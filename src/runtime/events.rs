//! Kubernetes events.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::runtime::error::StepError;
use crate::runtime::kubernetes::{Kube, answer};

/// The API server refuses longer notes. It counts bytes: a character of Chinese is three.
const LONGEST_NOTE: usize = 1024;

/// Publishes events.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// Events in the name of this process.
    pub fn new(kube: &Kube, identity: String) -> Self {
        let reporter = Reporter { controller: "carpack".to_owned(), instance: Some(identity) };
        Self { recorder: Recorder::new(kube.reads.clone(), reporter) }
    }

    /// Publishes events about an object. An event that cannot be published is logged and lost: the record is in the status.
    pub async fn publish<K: Resource<DynamicType = ()>>(&self, about: &K, events: &[carpack_core::Event]) {
        let reference = about.object_ref(&());
        for event in events {
            self.publish_one(event, &reference).await;
        }
    }

    async fn publish_one(&self, event: &carpack_core::Event, about: &ObjectReference) {
        let type_ = if event.warning { EventType::Warning } else { EventType::Normal };
        let note = cut(&event.message).to_owned();
        let reason = event.reason.as_str().to_owned();
        let event = Event { type_, reason: reason.clone(), note: Some(note), action: reason, secondary: None };
        match answer("publishing an event", self.recorder.publish(&event, about)).await {
            Ok(()) => {}
            // A namespace that is being deleted accepts no more events.
            Err(StepError::Kubernetes { source, .. }) if matches!(source.as_ref(), kube::Error::Api(status) if matches!(status.code, 403 | 404)) =>
            {
                tracing::debug!(error = %source, "an event was not published");
            }
            Err(error) => tracing::warn!(%error, reason = event.reason, "an event was not published"),
        }
    }
}

/// As much of a message as a note may have.
fn cut(message: &str) -> &str {
    message.get(..message.floor_char_boundary(LONGEST_NOTE)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_by_bytes_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"x".repeat(2000)).len(), LONGEST_NOTE);
        let chinese = "余额不足".repeat(200);
        assert_eq!(cut(&chinese).len(), LONGEST_NOTE - LONGEST_NOTE % 3);
        assert!(chinese.starts_with(cut(&chinese)));
    }
}
