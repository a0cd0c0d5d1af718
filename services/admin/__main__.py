"""Admin: the operators' HTTP door, apart from the public one and with a role of its own."""

import os
from collections.abc import Mapping

from libs.foundation.database.schema import schema_served
from libs.foundation.runtime import run, service
from libs.foundation.settings import load_settings
from libs.foundation.web.server import listening, serve
from services.admin.settings import AdminSettings
from services.admin.wiring import open_application


async def main(environ: Mapping[str, str]) -> None:
    """Serve until the process is asked to stop."""
    settings = load_settings(AdminSettings, environ, prefix="ADMIN_")
    async with service("admin", settings.process, configuration=settings) as process:
        await schema_served(settings.database, process)
        async with open_application(settings, process.ready_when) as application:
            with listening(settings.host, settings.port, shares_port=False) as listener:
                grace_ms = settings.keep_alive_grace_ms
                await process.run_until_stopped(
                    serve(application, listener, process, keep_alive_grace_ms=grace_ms)
                )


if __name__ == "__main__":
    run(main(os.environ))
