//! Orders for a rollout, as received at `PREFIX/rollout/set`.

use serde::Deserialize;

use crate::rollout::Plan;

/// An order for a rollout.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Begin a rollout.
    Start(Plan),
    /// Try no other lamp until resumed; updates in progress continue.
    Pause,
    /// Continue a paused rollout.
    Resume,
    /// End the rollout.
    Abort,
}

impl Order {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// A sentence that says what is expected.
    pub fn read(message: &[u8]) -> Result<Self, String> {
        let order: Self = serde_json::from_slice(message).map_err(|e| {
            format!(
                "this order is not understood ({e}); write JSON such as {{\"do\": \"start\"}} (or pause, resume, abort); \
                 start takes any of steps ([\"1\", \"5%\", \"100%\"]), abort_above (percent), watch (seconds) and at_once"
            )
        })?;
        match &order {
            Self::Start(plan) => plan.check().map_err(|e| e.to_string()).map(|()| order),
            _ => Ok(order),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_or_told_why_not() {
        assert_eq!(Order::read(br#"{"do":"start"}"#), Ok(Order::Start(Plan::default())));
        let Ok(Order::Start(plan)) = Order::read(br#"{"do":"start","steps":["2"],"at_once":1}"#) else {
            panic!()
        };
        assert!(plan.watch_last && plan.at_once == 1 && plan.watch == 60.0, "{plan:?}");
        assert_eq!(Order::read(br#"{"do":"pause"}"#), Ok(Order::Pause));
        for wrong in [
            "",
            "start",
            r#"{"do":"stop"}"#,
            r#"{"do":"start","watch_last":false}"#,
            r#"{"do":"start","steps":[]}"#,
            r#"{"do":"start","steps":["0"]}"#,
            r#"{"do":"start","steps":["120%"]}"#,
            r#"{"do":"start","at_once":0}"#,
            r#"{"do":"start","watch":-1}"#,
        ] {
            assert!(Order::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
