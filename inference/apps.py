from django.apps import AppConfig


class InferenceConfig(AppConfig):
    name = "inference"
    verbose_name = "Inference"

    def ready(self) -> None:
        from prometheus_client import REGISTRY

        from . import auditing, checks, metrics, runtime  # noqa: F401  these register themselves

        REGISTRY.register(metrics.EngineCollector(runtime.gauges))
