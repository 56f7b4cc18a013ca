//! The operator of a world: a process that is started, stopped and killed.

use std::sync::atomic::Ordering;

use carpack_testkit::{GuardedCommand, GuardedProcess};
use serde_json::json;

use super::{PATIENCE, World};

impl World {
    pub fn start_operator(&mut self) {
        self.operator = Some(self.launch());
    }

    /// Starts an operator that belongs to the caller. Several may run at the same time.
    pub fn launch(&self) -> GuardedProcess {
        let number = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        let log = self.folder.path().join(format!("operator-{number}.log"));
        let url = self.simulator.url();
        let defaults = [
            ("--namespace", self.treasury.as_str()),
            ("--watch-namespace", &self.tenant),
            ("--health-address", "127.0.0.1:0"),
            ("--log-format", "human"),
            ("--log-level", "info,carpack=debug"),
            ("--rehearsal-clock", &url),
            ("--sweep-interval", "1s"),
            ("--retry-after", "2s"),
            ("--lease-duration", "6s"),
            ("--lease-renew-every", "500ms"),
            ("--lease-step-down", "4s"),
            ("--call-timeout", "3s"),
        ];
        // The flags of the test replace the defaults.
        let defaults = defaults.into_iter().filter(|(flag, _)| !self.flags.iter().any(|own| own == flag));
        let command = GuardedCommand::new(env!("CARGO_BIN_EXE_carpack"), log)
            .name("carpack")
            .arg("run")
            .args(defaults.flat_map(|(flag, value)| [flag, value]))
            .args(&self.flags)
            .env("KUBECONFIG", &self.kubeconfig);
        command.start().unwrap()
    }

    /// Operators that are started from now on reach the API server at this address, without TLS and without credentials.
    pub fn reach_api_server_at(&mut self, url: &str) {
        let cluster = json!({"name": "proxy", "cluster": {"server": url}});
        let context = json!({"name": "proxy", "context": {"cluster": "proxy", "user": ""}});
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy", "clusters": [cluster], "contexts": [context]});
        self.kubeconfig = self.folder.path().join("kubeconfig");
        std::fs::write(&self.kubeconfig, config.to_string()).unwrap();
    }

    /// Makes this the operator of the world; returns the one before.
    pub fn adopt_operator(&mut self, operator: GuardedProcess) -> Option<GuardedProcess> {
        self.operator.replace(operator)
    }

    pub fn operator(&self) -> &GuardedProcess {
        self.operator.as_ref().unwrap()
    }

    /// Kills the operator (SIGKILL).
    pub fn kill_operator(&mut self) {
        self.operator.take().unwrap().kill();
    }

    /// Stops the operator (SIGTERM), and waits until it has ended with success.
    pub async fn stop_operator(&mut self) {
        let operator = self.operator.take().unwrap();
        let exit = operator.terminate(PATIENCE).await.unwrap();
        assert!(exit.success(), "{exit:?}: {}", operator.log_tail());
    }

    /// Sets the flags of operators that are started from now on.
    pub fn set_flags(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    }

    /// The logs of all operators that this world has started, one after the other.
    pub fn log(&self) -> String {
        (1..=self.starts.load(Ordering::Relaxed))
            .map(|n| std::fs::read_to_string(self.folder.path().join(format!("operator-{n}.log"))).unwrap_or_default())
            .collect()
    }
}
