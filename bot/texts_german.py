"""The catalogue in German: what people read who talk to the bot. What admins read of `/admin` is English so far.

A sentence that is missing here is said in English (`bot.texts.text`). Knows nothing of who says them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GERMAN: Final[Mapping[str, str]] = {
    # Errors
    "error.unexpected": (
        "Bei mir ist etwas schiefgegangen. Bitte versuche es noch einmal; der Grund steht in meinem Log."
    ),
    "error.start": "Ich kann nicht starten; der Grund steht in meinem Log.",
    "error.engine": "Das Modell ist an dieser Antwort gescheitert. Bitte versuche es noch einmal.",
    "error.engine_busy": "Ich antworte gerade so vielen, wie ich kann. Bitte versuche es gleich noch einmal.",
    "error.engine_dead": "Das Modell läuft gerade nicht. Ich bin zurück, sobald mein Admin mich neu gestartet hat.",
    "error.model_not_loaded": (
        "Ich konnte das Modell {model} nicht laden; der Grund steht in meinem Log. `/model set` wählt ein anderes."
    ),
    "error.no_room_for_model": (
        "Für das Modell {model} ist gerade kein Platz: Es braucht {need_gb} GB Speicher, und {free_gb} GB sind neben "
        "den Modellen frei, die in Gebrauch sind. Bitte versuche es später; `/model set` wählt ein anderes."
    ),
    "error.waited_too_long": (
        "Ich bin innerhalb von {minutes} min nicht zu deiner Frage gekommen. Bitte frage später noch einmal."
    ),
    "error.restarted_too_late": (
        "Ich wurde neu gestartet, bevor ich darauf antworten konnte. Bitte frage mich noch einmal."
    ),
    # Questions that are not taken
    "refused.empty": "Da war kein Text, auf den ich antworten könnte. Schreib mir eine Frage, dann versuche ich es.",
    "refused.too_long": (
        "Das ist zu lang für mich: {tokens} Tokens, und mehr als {limit_tokens} kann ich nicht auf einmal lesen."
    ),
    "refused.too_many": (
        "Das sind mehr als {per_minute} Fragen in der Minute. Bitte versuche es in {retry_after_s} s noch einmal."
    ),
    "refused.cooldown": (
        "Ich nehme von dir nur alle {cooldown_s} s eine Frage an. Bitte versuche es in {retry_after_s} s noch einmal."
    ),
    "refused.tokens_used_up": (
        "Du hast deine {limit_tokens} Tokens für heute verbraucht. Neue gibt es <t:{renews_at}:R>; `/quota` sagt dir "
        "mehr."
    ),
    "refused.tokens_used_up_here": (
        "Du hast deine {limit_tokens} Tokens für heute auf diesem Server verbraucht. Neue gibt es <t:{renews_at}:R>; "
        "`/quota` sagt dir mehr."
    ),
    "refused.tokens_promised": (
        "Du hast heute noch {left_tokens} Tokens, und was ich dir schon beantworte, braucht vielleicht alle. Bitte "
        "frage noch einmal, wenn das fertig ist; `/quota` sagt dir mehr."
    ),
    "refused.queue_full": (
        "Ich habe viel zu tun: {waiting} Fragen warten schon. Bitte versuche es in {retry_after_s} s noch einmal."
    ),
    "refused.gone": (
        "Ich weiß nicht mehr, was dort gesagt wurde, und kann daran nicht anknüpfen. Bitte frage mich neu."
    ),
    "refused.still_runs": "Ich arbeite noch an dieser Antwort. Bitte warte, bis sie fertig ist, oder halte sie an.",
    "refused.nothing_to_continue": "Diese Antwort wurde nicht abgeschnitten, also fehlt nichts.",
    "refused.no_room_to_continue": (
        "Ich kann nicht weiterschreiben: Die Frage und die Antwort bis hier füllen alles, was ich auf einmal lesen "
        "kann. Frage mich in einer neuen Frage nach dem Rest."
    ),
    "refused.no_such_model": "Ich habe kein Modell „{model}“. `/model show` zeigt alle, die ich habe.",
    "refused.pins_full": (
        "Damit wäre zu viel angeheftet: {tokens} Tokens, und mehr als {limit_tokens} gehen nicht. Löse zuerst etwas."
    ),
    "refused.nothing_to_pin": "Dort habe ich keine Antwort, die ich mir merken könnte.",
    "refused.nothing_to_summarize": "Hier gibt es nichts, was ich zusammenfassen könnte.",
    "refused.not_yours": "Das können nur Moderatoren und wer das gefragt hat.",
    "refused.too_old": "Das ist lange her, deshalb ändere ich meine Antwort lieber nicht mehr. Bitte frage mich neu.",
    "refused.moderators_only": (
        "Das betrifft alle hier, deshalb können es nur Moderatoren (Nachrichten verwalten oder Kanäle verwalten)."
    ),
    "refused.admins_only": "Das können nur die, die diesen Server verwalten dürfen.",
    "refused.owners_only": (
        "In privaten Nachrichten können das nur meine Besitzer. Auf einem Server können es die, die ihn verwalten."
    ),
    "refused.paused": "Ich mache Pause: Die Admins haben mich angehalten. Bitte frage mich später noch einmal.",
    "refused.blocked": (
        "Ich antworte dir hier nicht: Das haben die entschieden, die diesen Ort verwalten. Sie können dir mehr sagen. "
        "Was deins ist, kannst du weiterhin anhalten, zurücksetzen und löschen."
    ),
    "refused.not_allowed": (
        "Ich antworte hier nur bestimmten Leuten oder Rollen, und du gehörst nicht dazu. Bitte frage die, die diesen "
        "Server verwalten."
    ),
    "refused.place_blocked": (
        "In diesem Kanal antworte ich nicht: Das haben die entschieden, die diesen Server verwalten."
    ),
    "refused.place_not_allowed": (
        "Ich antworte hier nur in bestimmten Kanälen, und dieser gehört nicht dazu. Bitte frage die, die diesen Server "
        "verwalten."
    ),
    "refused.filtered": (
        "Darin, oder in dem, was es mitbringt, kommt ein Wort vor, das hier nicht benutzt werden darf. Deshalb habe "
        "ich es nicht angenommen."
    ),
    "refused.age_restricted": "Ich antworte nur in Kanälen mit Altersbeschränkung.",
    "refused.persona_too_long": (
        "Diese Persona ist {tokens} Tokens lang, und höchstens {limit_tokens} sind erlaubt. Bitte kürze sie."
    ),
    "refused.persona_empty": "In dieser Persona steht nichts. `/persona clear` entfernt eine.",
    "refused.persona_not_allowed": (
        "Die Persona eines Kanals oder Servers können nur die ändern, die diesen Server verwalten, und Rollen, die "
        "sie dafür ausgewählt haben. Deine eigene kannst du immer setzen."
    ),
    "refused.persona_own_only": "Hier kannst du nur eine eigene Persona setzen.",
    "refused.no_such_persona": "Unter diesem Namen ist keine Persona gespeichert.",
    "refused.no_persona_to_save": (
        "Dort ist keine Persona gesetzt, also gibt es nichts zu speichern. `/persona set` setzt eine."
    ),
    "refused.persona_name_empty": "Das ist kein Name, den ich zeigen könnte. Bitte wähle einen anderen.",
    "refused.personas_full": "Mehr als {limit} gespeicherte Personas gehen nicht. `/persona delete` schafft Platz.",
    "refused.shutting_down": "Ich werde gerade neu gestartet. Bitte frage mich in einer Minute noch einmal.",
    # Loading
    "loading.connecting": "verbinde mich mit dem Server des Modells",
    "loading.unloaded": "fange gleich an",
    "loading.starting": "starte",
    "loading.reading": "lese das Modell",
    "loading.compiling": "bereite es für das Gerät vor",
    "loading.warming": "laufe mich warm",
    "loading.wait": "Ich lade noch ({stage}, bisher {elapsed_s} s). Ich antworte, sobald ich bereit bin.",
    "loading.wait_last": (
        "Ich lade noch ({stage}, bisher {elapsed_s} s; beim letzten Mal {last_time_s} s). Ich antworte, sobald ich "
        "bereit bin."
    ),
    # Messages without text
    "empty.mention": (
        "Hallo! Erwähne mich zusammen mit einer Frage, antworte auf eine meiner Antworten oder schreib mir privat. "
        "`/help` sagt dir mehr."
    ),
    "empty.withheld": (
        "Discord zeigt mir den Text von Nachrichten nicht, die mich nicht erwähnen. Bitte erwähne mich in deiner "
        "Antwort, oder nimm `/ask`."
    ),
    "empty.voice": "Sprachnachrichten kann ich nicht anhören. Bitte schreib mir deine Frage.",
    "empty.sticker": "Hübscher Sticker! Aber ich kann nur Text lesen: Bitte schreib mir deine Frage.",
    "empty.poll": "Umfragen kann ich nicht lesen. Bitte schreib mir deine Frage als Text.",
    "empty.forward": (
        "Was hier weitergeleitet wurde, hat keinen Text, den ich lesen kann. Bitte schreib mir deine Frage."
    ),
    "empty.attachment": "Darin ist nichts, was ich lesen kann. Bitte schreib mir deine Frage als Text.",
    "empty.quote": (
        "In der Nachricht, auf die du antwortest, ist nichts, was ich lesen kann. Bitte schreib mir deine Frage."
    ),
    "empty.quote_withheld": (
        "Discord zeigt mir den Text der Nachricht nicht, auf die du antwortest. Bitte kopiere in deine Frage, was ich "
        "lesen soll."
    ),
    # Answers on their way
    "answer.next": "Du bist als Nächstes dran. Ich antworte in dieser Nachricht.",
    "answer.waiting_one": "Eine Frage ist vor deiner. Ich antworte in dieser Nachricht.",
    "answer.waiting": "{ahead} Fragen sind vor deiner. Ich antworte in dieser Nachricht.",
    "answer.next_s": "Du bist als Nächstes dran, in etwa {wait_s} s. Ich antworte in dieser Nachricht.",
    "answer.waiting_one_s": "Eine Frage ist vor deiner, etwa {wait_s} s. Ich antworte in dieser Nachricht.",
    "answer.waiting_s": "{ahead} Fragen sind vor deiner, etwa {wait_s} s. Ich antworte in dieser Nachricht.",
    "answer.writing": "Ich schreibe meine Antwort. Sie erscheint hier, sobald sie fertig ist.",
    "button.stop": "Anhalten",
    "button.leave": "Nicht mehr warten",
    "button.regenerate": "Noch einmal",
    "button.continue": "Weiter",
    "answer.empty": "Darauf habe ich keine Antwort. Versuche es mit anderen Worten.",
    "answer.stopped": "-# angehalten",
    "answer.length": "-# … nach {tokens} Tokens abgeschnitten",
    "guard.self_dialogue": (
        "-# Ich habe zweimal angefangen, auch deinen Teil des Gesprächs zu schreiben, deshalb höre ich hier auf"
    ),
    "guard.loop": "-# Ich habe zweimal angefangen, mich ohne Ende zu wiederholen, deshalb höre ich hier auf",
    "guard.role_marker": (
        "-# Ich habe zweimal angefangen, Zeichen zu schreiben, die nur ich lesen sollte, deshalb höre ich hier auf"
    ),
    "guard.prompt_echo": "-# Ich habe zweimal angefangen, meine Anweisungen aufzusagen, deshalb höre ich hier auf",
    "answer.interrupted": "-# Ich werde neu gestartet; ich schreibe das fertig, wenn ich zurück bin",
    "answer.dropped_one": (
        "-# unser ältester Wortwechsel passt nicht mehr in das, was ich auf einmal lesen kann, ich lasse ihn jetzt weg"
    ),
    "answer.dropped": (
        "-# unsere {count} ältesten Wortwechsel passen nicht mehr in das, was ich auf einmal lesen kann, ich lasse sie "
        "jetzt weg"
    ),
    "answer.summarized_one": (
        "-# für unseren ältesten Wortwechsel war kein Platz mehr, ab hier halte ich mich an eine Zusammenfassung davon"
    ),
    "answer.summarized": (
        "-# für unsere {count} ältesten Wortwechsel war kein Platz mehr, ab hier halte ich mich an eine "
        "Zusammenfassung davon"
    ),
    "answer.as_file": "-# die ganze Antwort steht in der Datei unten",
    "answer.not_all": "-# der Rest passt nicht hierher, und Dateien darf ich nicht anhängen",
    "answer.kept_in_room": "-# Ich behalte das, obwohl du es anders wolltest: Hier teilen alle ein Gespräch",
    "answer.kept_by_bounds": "-# Ich behalte das, obwohl du es anders wolltest: Die Admins hier erlauben das nicht",
    "answer.out_of_time": (
        "-# Discord lässt mich hier nur 15 Minuten schreiben, deshalb höre ich auf; bitte mich, weiterzumachen"
    ),
    "answer.refused": ("Discord hat den Text meiner Antwort nicht angenommen, deshalb kann ich sie hier nicht zeigen."),
    # Files
    "file.cut": "-# Ich habe nur die ersten {percent} % von {name} gelesen",
    "file.quote_cut": "-# Ich habe nur die ersten {percent} % von dem gelesen, was {name} geschrieben hat",
    "file.unread": "-# Ich konnte nicht lesen: {names}",
    "file.off": "-# Ich darf keine Dateien lesen: {names}",
    "file.too_many": "-# Ich lese höchstens {count} Dateien auf einmal, ausgelassen habe ich: {names}",
    "file.too_large": "-# größer als die {limit_mb} MB, die ich lese: {names}",
    "file.too_large_together": "-# zusammen mehr als die {together_mb} MB, die ich auf einmal lese: {names}",
    "file.unreachable": "-# Discord hat mir das nicht gegeben: {names}",
    "file.elsewhere": "-# Das liegt nicht auf Discords eigenen Servern, also habe ich es nicht geöffnet: {names}",
    "file.empty": "-# Darin steht nichts: {names}",
    "file.picture": "-# Bilder kann ich nicht ansehen: {names}",
    "file.sound": "-# Aufnahmen kann ich nicht anhören: {names}",
    "file.video": "-# Videos kann ich nicht ansehen: {names}",
    "file.archive": "-# In Archive sehe ich nicht hinein: {names}",
    "file.document": "-# Dieses Format kann ich nicht lesen, aber PDF und Text: {names}",
    "file.binary": "-# Das ist kein Text, den ich lesen könnte: {names}",
    "file.pdf_locked": "-# Dieses PDF ist mit einem Passwort geschützt: {names}",
    "file.pdf_scanned": "-# Dieses PDF hat keinen Text, nur Bilder seiner Seiten: {names}",
    "file.pdf_broken": "-# Dieses PDF ist beschädigt: {names}",
    "file.too_hard": "-# Das zu lesen würde mich zu viel Speicher oder Zeit kosten: {names}",
    # What commands answer
    "ask.joined": "Deine letzte Frage wartet noch, also beantworte ich diese zusammen mit ihr.",
    "reset.done": "Erledigt. Ab jetzt weiß ich nichts mehr von dem, was wir in diesem Kanal gesagt haben.",
    "reset.nothing": "Wir haben hier noch kein Gespräch, also gab es nichts zu vergessen.",
    "reset.everywhere_one": "Erledigt. Wir hatten nur ein Gespräch, und das beginnt jetzt neu.",
    "reset.everywhere": "Erledigt. Unsere {count} Gespräche beginnen alle neu.",
    "reset.everywhere_nothing": "Wir haben noch kein Gespräch, also gab es nichts zu vergessen.",
    "stop.done": "Angehalten.",
    "stop.nothing": "Ich antworte dir hier gerade nicht.",
    "history.nothing": "Ich weiß von nichts, was wir hier gesagt haben.",
    "history.head": "Was ich von unserem Gespräch hier weiß, das Neueste am Ende:",
    "history.you": "**Du:** {text}",
    "history.me": "**Ich:** {text}",
    "history.no_answer": "(keine Antwort)",
    "history.earlier": "-# frühere Wortwechsel, die ich auch noch weiß: {count}",
    "history.summary": "**Meine Zusammenfassung von dem, was vorher war:** {text}",
    "history.no_store": ("-# Du hast gewählt, dass ich nichts behalte; was du jetzt fragst, ist also nicht darunter."),
    "history.forgotten": ("-# Wortwechsel davor, die nicht mehr in das passen, was ich auf einmal lesen kann: {count}"),
    # /context, /pin and /summarize
    "context.head": (
        "**Was ich hier im Kopf habe:** {used_tokens} der {window_tokens} Tokens, die ich auf einmal lesen kann"
    ),
    "context.system": "meine Anweisungen: {tokens}",
    "context.summary": "meine Zusammenfassung von vorher: {tokens}",
    "context.conversation": "unser Gespräch: {tokens}",
    "context.attachments": "Dateien und Zitate: {tokens}",
    "context.pinned": "angeheftet: {tokens}",
    "context.room": "frei gehalten für meine Antwort: {tokens}",
    "context.free": "frei: {tokens}",
    "context.dropped": "-# ältere Wortwechsel, die nicht mehr dabei sind: {count}",
    "context.summarized": (
        "-# ältere Wortwechsel, die ich nur aus meiner Zusammenfassung oder gar nicht mehr kenne: {count}"
    ),
    "context.pins": (
        "-# Was angeheftet ist, lasse ich nie weg, bis zu {limit_tokens} Tokens. Wähle unten, was du anheften und "
        "lösen willst; `/pin` heftet unseren letzten Wortwechsel an."
    ),
    "context.choose": "Anheften oder lösen …",
    "context.turn_tokens": "{tokens} Tokens",
    "context.wordless": "(kein Text)",
    "pin.done": (
        "Angeheftet: „{words}“. Damit sind {tokens} von höchstens {limit_tokens} Tokens angeheftet. Mit `/context` "
        "kannst du es lösen."
    ),
    "pin.already": "Das ist schon angeheftet: „{words}“. Mit `/context` kannst du es lösen.",
    "summarize.already": "Diese Zusammenfassung schreibe ich schon.",
    "summarize.freed": (
        "Ab jetzt halte ich mich an diese Zusammenfassung. Das hat {freed_tokens} Tokens frei gemacht; {used_tokens} "
        "sind jetzt in Gebrauch."
    ),
    "summarize.no_shorter": (
        "Ab jetzt halte ich mich an diese Zusammenfassung. Kürzer als das, wofür sie steht, ist sie allerdings nicht."
    ),
    "summarize.unsound": (
        "Daraus ist keine Zusammenfassung geworden, an die ich mich halten könnte; ich behalte alles, wie es gesagt "
        "wurde."
    ),
    "summarize.forgotten": (
        "Was ich zusammenfassen wollte, wurde inzwischen gelöscht, also gibt es keine Zusammenfassung."
    ),
    # /settings
    "settings.head": (
        "**Wie ich dir antworte.** Was du wählst, gilt überall, wo du mit mir redest, soweit die Admins es erlauben."
    ),
    "settings.own": "**{what}:** {value} (deine Wahl)",
    "settings.held": "**{what}:** {value} hier, denn die Admins erlauben nicht: {wanted}",
    "setting.temperature": "Temperatur",
    "setting.max_new_tokens": "Längste Antwort",
    "setting.language": "Sprache",
    "setting.no_store": "Nichts behalten",
    "settings.greedy": "0, immer das wahrscheinlichste Wort",
    "settings.tokens": "{tokens} Tokens",
    "settings.no_seed": "jedes Mal ein anderer",
    "settings.no_language": "keine bestimmte",
    "settings.on": "ja",
    "settings.off": "nein",
    "settings.note.greedy": "-# Bei Temperatur 0 ändern weder Top-p noch Seed etwas.",
    "settings.note.seed": (
        "-# Dieselbe Frage bekommt mit demselben Seed nach demselben Gespräch dieselbe Antwort. Nur was das Gerät "
        "sonst gerade rechnet, ändert die letzten Stellen, und so ab und zu ein Wort."
    ),
    "settings.note.language": (
        "-# Ich bitte das Modell, so zu antworten. Ein kleines gehorcht nicht immer, und am besten kann es Englisch."
    ),
    "settings.note.no_store": (
        "-# Nichts wird behalten: Deine Frage und meine Antwort verlassen meine Festplatte, sobald die Antwort zu Ende "
        "ist. Deshalb steht jede Frage für sich; antworte auf eine Nachricht, um sie mitzubringen. Was du vorher "
        "gefragt hast, bleibt, bis du es mich vergessen lässt. Discord behält seine Nachrichten, und wie viele Tokens "
        "du verbraucht hast, wird weiter gezählt."
    ),
    "settings.note.room": "-# In diesem Kanal behalte ich trotzdem, was du fragst, denn hier teilen alle ein Gespräch.",
    "settings.reset": "-# Alles ist wieder, wie es hier eingerichtet ist.",
    "settings.same": "-# Das war schon so.",
    "settings.option.default": "{what}: wie hier eingerichtet ({value})",
    "setting_hint.careful": "vorsichtig",
    "setting_hint.lively": "lebhafter",
    "setting_hint.free": "so frei, wie das Modell es gelernt hat",
    "setting_hint.bold": "kühn; schweift vielleicht ab",
    "setting_hint.all_words": "jedes Wort darf kommen",
    "setting_hint.most_words": "ohne die unwahrscheinlichsten Wörter",
    "setting_hint.likely_words": "nur wahrscheinliche Wörter",
    "setting_hint.likeliest_words": "nur die wahrscheinlichsten Wörter",
    "setting_hint.short": "ein Absatz",
    "setting_hint.medium": "halb so lang, wie es geht",
    "setting_hint.long": "so lang, wie es geht",
    "setting_button.numbers": "Genaue Zahlen …",
    "setting_button.reset": "Alles zurücksetzen",
    "settings.form_title": "Genaue Zahlen",
    "settings.form_empty": "Leer: wie hier eingerichtet ({value})",
    "setting_form.temperature": "Temperatur, von 0 bis {highest}",
    "setting_form.top_p": "Top-p, von {lowest} bis 1",
    "setting_form.max_new_tokens": "Längste Antwort in Tokens, bis {most}",
    "setting_form.seed": "Seed, eine ganze Zahl ab 0",
    "setting_wrong.temperature": "„{given}“ ist keine Temperatur: Das ist eine Zahl von 0 bis {highest}, etwa 0,7.",
    "setting_wrong.top_p": "„{given}“ ist kein Top-p: Das ist eine Zahl von {lowest} bis 1, etwa 0,9.",
    "setting_wrong.max_new_tokens": "„{given}“ ist keine Länge: Das ist eine ganze Zahl von Tokens von 1 bis {most}.",
    "setting_wrong.seed": "„{given}“ ist kein Seed: Das ist eine ganze Zahl von 0 bis {largest}.",
    "setting_wrong.language": "„{given}“ ist keine Sprache, um die ich bitten kann.",
    "settings.unchanged": "Deshalb ist nichts geändert. Du hattest eingegeben: {entered}",
    # A message's context menu
    "menu.nothing_to_read": "In dieser Nachricht ist nichts, was ich lesen kann.",
    "menu.summarize.question": "Bitte fasse das zusammen.",
    "ask_about.title": "Frage zu dieser Nachricht",
    "ask_about.label": "Deine Frage",
    "ask_about.lost": (
        "Ich weiß nicht mehr, um welche Nachricht es ging: Ich wurde neu gestartet, oder das Formular war zu lange "
        "offen. Bitte wähle sie noch einmal. Du hattest geschrieben:\n{words}"
    ),
    "form.given_back": "{reason}\nDu hattest geschrieben:\n{words}",
    "details.none": (
        "Ich weiß nicht, wie das entstanden ist: Es ist keine meiner Antworten, oder ich habe sie vergessen."
    ),
    "details.head": "**Wie diese Antwort entstanden ist**",
    "details.unknown": "Welches Modell sie geschrieben hat, und wie, wurde nicht festgehalten.",
    "details.model": "**Modell:** {model}",
    "details.model_revision": "**Modell:** {model}, Revision {revision}",
    "details.device": "**Gerät:** {device} (Engine {engine})",
    "details.greedy": "**Wortwahl:** immer das wahrscheinlichste Wort, also kein Seed",
    "details.sampled": "**Wortwahl:** durch Zufall, Seed {seed}, Temperatur {temperature}, Top-p {top_p}",
    "details.tokens": "**Tokens:** {tokens_in} gelesen, {tokens_out} geschrieben",
    "details.discarded": "**Unterwegs weggeworfen:** {tokens} Tokens, die misslungen waren",
    "details.turns_used": "**Frühere Wortwechsel, die ich im Kopf hatte:** {count}",
    "details.has_summary": "**Und eine Zusammenfassung** von noch früheren",
    "details.turns_dropped": "**Kurz davor aus Platzmangel weggelassen:** {count}",
    "details.first_token": "**Erstes Wort nach:** {first_token_s} s",
    "details.speed": "**Tempo:** {tokens_per_s} Tokens in der Sekunde",
    "details.version": "**Fassung:** {version} von {versions}",
    "details.batch": (
        "-# Derselbe Seed muss nicht denselben Text ergeben: Was das Gerät sonst gerade rechnet, ändert die letzten "
        "Stellen, und so ab und zu ein Wort."
    ),
    "forget.none": "Von dieser Nachricht weiß ich nichts, also gibt es nichts zu vergessen.",
    "forget.done": "Vergessen: die Frage und meine Antwort mit allen Fassungen. Ich weiß nichts mehr davon.",
    "forget.done_but_shown": (
        "Vergessen: Ich weiß nichts mehr davon. Aber Discord ließ mich nicht alles löschen, was ich dort geschrieben "
        "habe."
    ),
    "delete.none": "Hier ist keine Antwort von mir, von der ich weiß.",
    "delete.done": "Gelöscht. Was gesagt wurde, weiß ich noch; „{forget}“ lässt mich auch das vergessen.",
    "delete.failed": (
        "Discord ließ mich nicht alles löschen, was ich dort geschrieben habe. Was gesagt wurde, weiß ich noch."
    ),
    "model.here": "**Hier antwortet:** {model}",
    "model.here_by_channel": "**Hier antwortet:** {model}, für diesen Kanal gewählt",
    "model.here_by_server": "**Hier antwortet:** {model}, für diesen Server gewählt",
    "model.here_by_everywhere": "**Hier antwortet:** {model}, vom Besitzer des Bots für überall gewählt",
    "model.missing": "-# Gewählt war hier {model}, aber dieses Modell habe ich nicht mehr.",
    "model.device": "**Gerät:** {device}",
    "model.row": "• **{model}**: {facts}",
    "model.size": "{size} auf der Platte",
    "model.window": "Fenster {context_tokens} Tokens",
    "model.speed": "{tokens_per_s} Tokens je Sekunde hier",
    "model.unmeasured": "Tempo noch nicht gemessen",
    "model.loaded": "geladen",
    "model.loading": "wird geladen ({stage}, bisher {elapsed_s} s)",
    "model.unloaded": "wird geladen, wenn es gebraucht wird",
    "model.more": "-# und {count} weitere",
    "model.elsewhere": "-# Es läuft auf einem anderen Rechner, darum gibt es nur dieses eine.",
    "status.model": "**Modell:** {model} (Engine {engine}, Fenster {context_tokens} Tokens)",
    "status.device": "**Gerät:** {device}",
    "status.ready": "**Zustand:** bereit",
    "status.loading": "**Zustand:** lädt ({stage}, bisher {elapsed_s} s)",
    "status.unloaded": "**Zustand:** bereit; die nächste Frage lädt dieses Modell",
    "status.queue": "**Fragen:** {running} werden beantwortet, {waiting} warten",
    "status.latency": "**Discord:** {latency_ms} ms entfernt",
    "status.withheld": (
        "**Inhalt von Nachrichten:** aus, also sehe ich nur Nachrichten, die mich erwähnen, und private. Mein Admin "
        "kann das in Discords Entwicklerportal einschalten."
    ),
    # Threads and rooms
    "thread.opened": "Wir machen in {thread} weiter.",
    "thread.begun": (
        "{user}, hier machen wir weiter: Ich weiß, was wir gesagt haben. In diesem Thread musst du mich nicht erwähnen."
    ),
    "thread.begun_anew": "{user}, lass uns hier reden. In diesem Thread musst du mich nicht erwähnen.",
    "thread.begun_withheld": (
        "{user}, hier machen wir weiter: Ich weiß, was wir gesagt haben. Bitte erwähne mich bei jeder Frage; Discord "
        "zeigt mir den Text anderer Nachrichten nicht."
    ),
    "thread.begun_anew_withheld": (
        "{user}, lass uns hier reden. Bitte erwähne mich bei jeder Frage; Discord zeigt mir den Text anderer "
        "Nachrichten nicht."
    ),
    "thread.unnamed": "Unser Gespräch",
    "thread.nothing": (
        "Wir haben hier noch kein Gespräch, das in einem Thread weitergehen könnte. Frage mich erst etwas."
    ),
    "thread.not_here": "Threads kann ich nur in den Textkanälen eines Servers öffnen.",
    "thread.not_allowed": "Du darfst hier keine Threads öffnen, also öffne ich auch keinen für dich.",
    "thread.forbidden": (
        "Das darf ich hier nicht: Mir fehlt die Berechtigung {permission}. Ein Moderator kann sie mir geben."
    ),
    "conversation.shared": (
        "Ab jetzt ist das hier ein Gespräch von allen, die mit mir reden, und das Modell liest eure Namen bei dem, was "
        "ihr sagt. `/conversation private` beendet das."
    ),
    "conversation.private": "Ab jetzt hat hier jeder ein eigenes Gespräch mit mir.",
    "conversation.shared_already": "Das hier ist schon ein Gespräch von allen.",
    "conversation.private_already": "Hier hat schon jeder ein eigenes Gespräch.",
    # /persona
    "persona.none": "**Hier ist keine Persona gesetzt.** Ich bin, was mein Admin aus mir gemacht hat.",
    "persona.person": "**Hier gilt deine eigene Persona:** {tokens} von höchstens {limit_tokens} Tokens.",
    "persona.channel": "**Hier gilt die Persona dieses Kanals:** {tokens} von höchstens {limit_tokens} Tokens.",
    "persona.server": "**Hier gilt die Persona dieses Servers:** {tokens} von höchstens {limit_tokens} Tokens.",
    "persona.everywhere": (
        "**Hier gilt die Persona, die mein Besitzer für überall gewählt hat:** {tokens} von höchstens {limit_tokens} "
        "Tokens."
    ),
    "persona.person_set": "**Deine eigene Persona:** {tokens} von höchstens {limit_tokens} Tokens.",
    "persona.channel_set": "**Die Persona dieses Kanals:** {tokens} von höchstens {limit_tokens} Tokens.",
    "persona.server_set": "**Die Persona dieses Servers:** {tokens} von höchstens {limit_tokens} Tokens.",
    "persona.everywhere_set": "**Die Persona für überall:** {tokens} von höchstens {limit_tokens} Tokens.",
    "persona.not_set": "Dort ist keine Persona gesetzt.",
    "persona.unused": (
        "-# Sie ist zu lang für das Modell, das hier antwortet, also richte ich mich stattdessen nach meinen eigenen "
        "Anweisungen."
    ),
    "persona.shared": (
        "-# Dies ist ein Gespräch von allen, die hier schreiben, also gilt darin niemandes eigene Persona: nur die des "
        "Kanals oder Servers."
    ),
    "persona.clipped": "-# … und so weiter: `/persona set` zeigt alles.",
    "persona.saved_by_you": "**Von dir gespeichert:** {names}",
    "persona.saved_in_server": "**Für diesen Server gespeichert:** {names}",
    "persona.variables": (
        "-# {{user}}, {{server}}, {{channel}} und {{date}} werden in einer Persona eingesetzt, wenn ein Gespräch "
        "beginnt, und wieder, wenn Älteres wegfällt. Mit {{time}} erfahre ich bei jeder Frage die Uhrzeit "
        "({zone})."
    ),
    "persona.form_title": "Was soll ich sein?",
    "persona.form_label": "Die Persona, in deinen Worten",
    "persona.form_hint": "Du bist ein mürrischer Pirat. Du sprichst mit {{user}} und antwortest in einem Satz.",
    "persona.person_done": (
        "Erledigt: {tokens} von höchstens {limit_tokens} Tokens. Das bin ich für dich ab deiner nächsten Frage, hier "
        "und überall sonst."
    ),
    "persona.channel_done": (
        "Erledigt: {tokens} von höchstens {limit_tokens} Tokens. Das bin ich in diesem Kanal ab der nächsten Frage, "
        "außer für die mit einer eigenen Persona."
    ),
    "persona.server_done": (
        "Erledigt: {tokens} von höchstens {limit_tokens} Tokens. Das bin ich auf diesem Server ab der nächsten Frage, "
        "außer in Kanälen und für Leute mit einer eigenen Persona."
    ),
    "persona.everywhere_done": (
        "Erledigt: {tokens} von höchstens {limit_tokens} Tokens. Das bin ich ab der nächsten Frage überall, wo niemand "
        "eine andere Persona gewählt hat."
    ),
    "persona.cleared": "Erledigt. Diese Persona gilt nicht mehr.",
    "persona.nothing_to_clear": "Dort ist keine Persona gesetzt, also gab es nichts zu entfernen.",
    "persona.saved": "Gespeichert als {name}. `/persona set` nimmt sie wieder.",
    "persona.deleted": "Gelöscht. Wo sie in Gebrauch ist, bleibt sie es.",
    "persona.proposed_of_server": "{name} (von diesem Server)",
    # /quota
    "quota.head": "**Was du nutzen kannst**",
    "quota.everywhere": "**Überall**, auf allen Servern und in privaten Nachrichten zusammen:",
    "quota.here": "**Auf diesem Server:**",
    "quota.tokens_used": "Tokens heute: {tokens} verbraucht, keine Grenze",
    "quota.tokens": "Tokens heute: {left} von {limit} übrig; wieder alle <t:{renews_at}:R>",
    "quota.tokens_granted": (
        "Tokens heute: {left} von {limit} übrig, davon {granted} nur für heute dazubekommen; neue <t:{renews_at}:R>"
    ),
    "quota.questions": "Fragen in der Minute: {left} von {limit} übrig",
    "quota.questions_renew": "Fragen in der Minute: {left} von {limit} übrig; wieder alle in {wait_s} s",
    "quota.cooldown": "eine Frage alle {cooldown_s} s: die nächste in {wait_s} s",
    "quota.cooldown_over": "eine Frage alle {cooldown_s} s: die nächste sofort",
    "quota.what_counts": (
        "-# Gezählt werden die Tokens von dem, was du fragst, mit Zitaten und Dateien, und von allem, was ich dir "
        "schreibe, auch wo du es anhältst, bearbeitest, löschst oder neu machen lässt; nicht von dem, was vorher "
        "gesagt wurde. Ein Token ist etwa drei Viertel eines englischen Wortes. Der Tag endet um Mitternacht UTC. Eine "
        "Bearbeitung, eine neue Fassung, eine fortgesetzte Antwort und eine Zusammenfassung zählen als Fragen; Zeilen, "
        "die ich zusammen beantworte, zählen als eine."
    ),
    # Commands that can't be answered
    "command.not_here": "Hier antworte ich nicht. Bitte frage meinen Admin.",
    "command.too_late": "Dein Befehl hat zu lange zu mir gebraucht. Bitte versuche es noch einmal.",
    "command.outdated": (
        "Dieser Befehl hat sich geändert. Bitte versuche es in einer Minute noch einmal, oder starte Discord neu."
    ),
    "help": (
        "Ich bin ein Bot, der mit einem Sprachmodell auf dem Rechner meines Besitzers antwortet.\n"
        "**Rede mit mir:** Erwähne mich, antworte auf eine meiner Antworten oder schreib mir privat. "
        "Ich merke mir unser Gespräch, für jeden und jeden Kanal getrennt.\n"
        "**Antworte** auf eine ältere Antwort, um dort weiterzumachen, oder erwähne mich in einer Antwort auf "
        "irgendeine Nachricht, um sie mitzubringen. Bearbeite deine Frage, und ich antworte neu; lösche sie, und ich "
        "vergesse sie.\n**Hänge Dateien an**, wenn du magst: Ich lese Text, Code, Tabellen, Notebooks und PDFs, aber "
        "keine Bilder.\n`/ask` stellt mir eine Frage\n"
        "`/stop` hält die Antwort an, die ich dir schreibe\n"
        "`/reset` beginnt ein neues Gespräch, hier oder überall\n"
        "`/history` zeigt, was ich noch von unserem Gespräch weiß\n"
        "`/context` zeigt, was meinen Platz dafür füllt, und lässt dich anheften\n"
        "`/pin` heftet unseren letzten Wortwechsel an\n"
        "`/summarize` fasst unser Gespräch zusammen\n"
        "`/thread` macht in einem Thread weiter, ohne Erwähnungen\n"
        "`/conversation` macht einen Kanal zu einem Gespräch von allen (Moderatoren)\n"
        "`/settings` lässt dich wählen, wie ich dir antworte\n"
        "`/persona` sagt mir, was ich für dich sein soll\n"
        "`/quota` zeigt, was du noch nutzen kannst\n"
        "`/status` zeigt Modell, Gerät und wie viel ich zu tun habe\n"
        "`/model` zeigt, welche Modelle ich habe und welches hier antwortet\n"
        "`/admin` bestimmt, was ich hier darf (wer den Server verwaltet)\n"
        "**Bei jeder Nachricht** (gedrückt halten oder rechts klicken, dann Apps): danach fragen, zusammenfassen "
        "lassen, sehen, wie eine Antwort entstand, mich vergessen lassen, eine Antwort löschen.\n"
        "Ein Sprachmodell kann sich irren: Prüfe, was wichtig ist."
    ),
    # A server that is not served, and permissions that are missing
    "unserved.leaving": (
        "Mein Besitzer lässt mich nur auf bestimmten Servern antworten, und dieser gehört nicht dazu. Ich gehe wieder."
    ),
    "lacking.silent": (
        "Ich wurde in {channel} auf {server} etwas gefragt und kann dort nicht antworten, denn mir fehlen "
        "Berechtigungen: **{permissions}**. In den Einstellungen des Kanals, unter Berechtigungen, kannst du sie mir "
        "geben. Ich sage das nur einmal."
    ),
    "lacking.partly": (
        "Ich antworte in {channel} auf {server}, aber nicht so gut, wie ich könnte, denn mir fehlen Berechtigungen: "
        "**{permissions}**. In den Einstellungen des Kanals, unter Berechtigungen, kannst du sie mir geben. Ich sage "
        "das nur einmal."
    ),
    "permission.view_channel": "Kanäle ansehen",
    "permission.send_messages": "Nachrichten senden",
    "permission.send_messages_in_threads": "Nachrichten in Threads senden",
    "permission.read_message_history": "Nachrichtenverlauf anzeigen",
    "permission.attach_files": "Dateien anhängen",
    "permission.add_reactions": "Reaktionen hinzufügen",
    "permission.create_public_threads": "Öffentliche Threads erstellen",
}
