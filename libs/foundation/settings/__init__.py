"""Settings: read once at the start, from the environment and from secret files, all checked."""

from libs.foundation.redaction import Secret
from libs.foundation.settings.load import SettingsError, load_settings
from libs.foundation.settings.reference import SettingRow, describe, reference
from libs.foundation.settings.shared import KafkaClientArguments, KafkaSettings, ProcessSettings

__all__ = [
    "KafkaClientArguments",
    "KafkaSettings",
    "ProcessSettings",
    "Secret",
    "SettingRow",
    "SettingsError",
    "describe",
    "load_settings",
    "reference",
]
