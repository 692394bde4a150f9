"""The rules of the policy, one file each: `relay.core.policy.stages` finds every module here and runs its `RULE`."""
