//! The model as stateright asks for it.

use stateright::{Model, Property};

use crate::action::Action;
use crate::model::CarpackModel;
use crate::properties;
use crate::state::State;

impl Model for CarpackModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first_state()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.next_actions(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.after(state, &action)
    }

    fn format_action(&self, action: &Action) -> String {
        action.to_string()
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let waived = self.scene.world.waived.as_deref();
        properties::all().into_iter().filter(|rule| !waived.is_some_and(|name| rule.name.starts_with(name))).collect()
    }
}
