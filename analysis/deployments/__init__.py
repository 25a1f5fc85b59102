"""Deployments: health, preflight checks and rollback readiness."""
