"""The platform in containers: what docker-compose.yml runs besides the services themselves."""
