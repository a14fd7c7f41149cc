"""Judge exchanges: contract conformance, laws of bulk semantics, and a model of the stored state.

Begin with `oracle` (`Oracle`), `findings` (`Finding`, `Law`) and `state_model` (`StateModel`).
"""
