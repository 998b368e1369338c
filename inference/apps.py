from django.apps import AppConfig


class InferenceConfig(AppConfig):
    name = "inference"
    verbose_name = "Inference"

    def ready(self) -> None:
        from prometheus_client import REGISTRY

        from accounts import retention

        # The first three register themselves.
        from . import auditing, checks, forgetting, metrics, receipts, runtime  # noqa: F401

        retention.TIDIERS += [receipts.forget_old, forgetting.forget_old]
        REGISTRY.register(metrics.EngineCollector(runtime.gauges))
