"""Safe change: playbook -> plan -> apply -> outcome. What runs on the router is ``router.sh``."""
