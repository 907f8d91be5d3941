"""The Swagger 2.0 documents of the Agave services, one YAML file a service."""
