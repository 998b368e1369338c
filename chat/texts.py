"""What the page's scripts say to people."""

import json

from django.utils.translation import gettext

from .markdown import Labels


def code_labels() -> Labels:
    """In the language that is active."""
    return Labels(copy=gettext("Copy"), text=gettext("text"))


def script_texts() -> str:
    """As JSON. What stands in braces is filled in by the script."""
    return json.dumps(
        {
            "queued": gettext("Number {position} in the queue"),
            "queuedFor": gettext("Number {position} in the queue, about {eta} s"),
            "loading": gettext("Loading the model: {percent} %"),
            "prefill": gettext("Reading: {done} of {total} tokens"),
            "writing": gettext("Writing"),
            "began": gettext("The answer begins."),
            "complete": gettext("The answer is complete."),
            "stopped": gettext("The answer was stopped."),
            "interrupted": gettext("The answer was cut off."),
            "failed": gettext("The answer failed."),
            "reconnecting": gettext("No connection. Trying again …"),
            "offline": gettext("You are offline. What you write is kept."),
            "signedOut": gettext("You are signed out. Load the page again to sign in."),
            "notConnected": gettext("There is no connection yet: your text is kept here."),
            "lost": gettext(
                "The connection broke while this was sent. It will be sent again, "
                "and will not be there twice."
            ),
            "unreachable": gettext("The server could not be reached. Try again."),
            "gone": gettext("This message or file is not there any more. Load the page again."),
            "serverFailed": gettext("The server failed; its log says why."),
            "busy": gettext("An answer is being written: wait for its end, or stop it."),
            "copied": gettext("Copied"),
            "cannotCopy": gettext("This browser does not let the page copy."),
            "unseen": gettext("The model no longer sees what is above"),
            "gauge": gettext("{used} of {all}"),
            "uploading": gettext("is being read"),
            "tokens": gettext("{count} tokens"),
            "remove": gettext("Remove {name}"),
            "uploadFailed": gettext("{name} could not be uploaded."),
            "saved": gettext("Saved."),
            "themeSystem": gettext("Theme: as the system"),
            "themeLight": gettext("Theme: light"),
            "themeDark": gettext("Theme: dark"),
        }
    )
