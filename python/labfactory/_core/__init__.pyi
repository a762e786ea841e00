"""The native core: one submodule per noun."""
