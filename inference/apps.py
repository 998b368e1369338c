from django.apps import AppConfig


class InferenceConfig(AppConfig):
    name = "inference"
    verbose_name = "Inference"

    def ready(self) -> None:
        from prometheus_client import REGISTRY

        from . import checks, metrics, runtime  # noqa: F401  checks register themselves

        REGISTRY.register(metrics.EngineCollector(runtime.gauges))
