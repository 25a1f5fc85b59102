"""Which load balancer, rule, target groups and services of an account are those of a migration, and why."""
