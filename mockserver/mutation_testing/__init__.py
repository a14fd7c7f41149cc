"""Mutation testing: which planted bugs a user's tests (`user_tests`) or the fuzzer (`run`) find."""
