"""The lifecycle hook of ECS deployments: handler.py alone is the deployment package."""
