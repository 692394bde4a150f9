"""Contains the rules of the policy, one module each; `relay.core.policy.stages` collects the `RULE` of each module."""
