"""Every sentence a person in Discord can read, in one catalogue that takes a locale.

Knows nothing of who says them. A locale is Discord's code ("en-GB", "de"); the language alone is tried next, then
English, whole sentence by sentence. They are str.format templates; a test compares their fields across locales and with
the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.texts_german import GERMAN

DEFAULT_LOCALE: Final = "en"

ANSWER_FILE: Final = "answer.md"
"""What the file is called that holds an answer of too many messages."""

RUNNING_MARK: Final = " ▌"
"""Ends the newest message of an answer while more is to come; the final edit removes it."""

ENGLISH: Final[Mapping[str, str]] = {
    # Errors
    "error.unexpected": "Something went wrong on my side. Please try again; the admin finds the cause in my log.",
    "error.start": "I can't start; the admin finds the cause in my log.",
    "error.engine": "The model failed on this answer. Please try again.",
    "error.engine_busy": "I'm answering as many people as I can right now. Please try again in a moment.",
    "error.engine_dead": "The model is not running right now. I'll be back as soon as my admin has restarted me.",
    "error.model_not_loaded": (
        "I could not load the model {model}; my admin finds the cause in my log. `/model set` chooses another."
    ),
    "error.no_room_for_model": (
        "There is no room for the model {model} right now: it needs {need_gb} GB of memory, and {free_gb} GB are left "
        "beside the models in use. Please try again later; `/model set` chooses another."
    ),
    "error.waited_too_long": "I could not get to your question within {minutes} min. Please ask again later.",
    "error.restarted_too_late": "I was restarted before I could answer this. Please ask me again.",
    # Questions that are not taken
    "refused.empty": "I got no text to answer. Write me a question and I'll try.",
    "refused.too_long": "That is too long for me: {tokens} tokens, and {limit_tokens} is the most I can read at once.",
    "refused.too_many": "That's more than {per_minute} questions a minute. Please try again in {retry_after_s} s.",
    "refused.cooldown": "I take one question every {cooldown_s} s from you. Please try again in {retry_after_s} s.",
    "refused.tokens_used_up": (
        "You have used up your {limit_tokens} tokens for today. There are new ones <t:{renews_at}:R>; `/quota` tells "
        "you more."
    ),
    "refused.tokens_used_up_here": (
        "You have used up your {limit_tokens} tokens for today in this server. There are new ones <t:{renews_at}:R>; "
        "`/quota` tells you more."
    ),
    "refused.tokens_promised": (
        "You have {left_tokens} tokens left for today, and what I'm answering you already may need all of them. "
        "Please ask again when that is done; `/quota` tells you more."
    ),
    "refused.quota_without_limits": "Please say at least one limit: a cooldown, questions a minute or tokens a day.",
    "refused.roles_nowhere": "Roles belong to a server. Please use this there.",
    "refused.queue_full": "I'm busy: {waiting} questions are waiting already. Please try again in {retry_after_s} s.",
    "refused.gone": "I no longer know what was said there, so I can't go on from it. Please ask me anew.",
    "refused.still_runs": "I'm still busy with this answer. Please wait until it has ended, or stop it.",
    "refused.nothing_to_continue": "That answer wasn't cut off, so there is nothing to add.",
    "refused.no_room_to_continue": (
        "I can't go on: the question and the answer so far fill all that I can read at once. "
        "Ask me for the rest in a new question."
    ),
    "refused.no_such_model": "I have no model “{model}”. `/model show` lists those that I have.",
    "refused.pins_full": "Too much is pinned: that makes {tokens} tokens, and {limit_tokens} is the most. Unpin one.",
    "refused.nothing_to_pin": "I have no answer there that I could keep in mind.",
    "refused.nothing_to_summarize": "There is nothing here that I could sum up.",
    "refused.not_yours": "Only the person who asked this, and moderators, can do that.",
    "refused.too_old": "That was long ago, so I'd rather not change my answer. Please ask me anew.",
    "refused.moderators_only": (
        "This concerns everybody here, so only moderators can do it (Manage Messages or Manage Channels)."
    ),
    "refused.admins_only": "Only those who may manage this server can do that.",
    "refused.owners_only": "In direct messages only my owners can do that. In a server, those who manage it can.",
    "refused.paused": "I'm taking a break: the admins have paused me. Please ask me again later.",
    "refused.blocked": (
        "I don't answer you here: those who manage this place decided so. They can tell you more. You can still stop, "
        "reset and delete what is yours."
    ),
    "refused.not_allowed": (
        "I only answer certain people or roles here, and you are not among them. Please ask those who manage this "
        "server."
    ),
    "refused.place_blocked": "I don't answer in this channel: those who manage this server decided so.",
    "refused.place_not_allowed": (
        "I only answer in certain channels here, and this is none of them. Please ask those who manage this server."
    ),
    "refused.age_restricted": "I only answer in channels that are age-restricted.",
    "refused.filtered": (
        "There is a word in this, or in what it brings in, that may not be used here, so I didn't take it."
    ),
    "refused.word_too_long": "A filtered word or phrase can have {limit_chars} characters at most. Nothing changed.",
    "refused.rules_full": "This list is full: {limit} entries are the most. Take others away first.",
    "refused.persona_too_long": "That persona is {tokens} of at most {limit_tokens} tokens long. Please shorten it.",
    "refused.persona_empty": "There is nothing in that persona. `/persona clear` takes one away.",
    "refused.persona_not_allowed": (
        "The persona of a channel or server can only be changed by those who manage this server, and by roles that "
        "they chose for it. Your own you can always set."
    ),
    "refused.persona_own_only": "Here you can only set a persona of your own.",
    "refused.no_such_persona": "No persona is saved under that name.",
    "refused.no_persona_to_save": "No persona is set there, so there is nothing to save. `/persona set` sets one.",
    "refused.persona_name_empty": "That is no name that I could show. Please choose another.",
    "refused.personas_full": "{limit} saved personas are the most. `/persona delete` makes room.",
    "refused.shutting_down": "I'm being restarted. Please ask me again in a minute.",
    # What stands for such a sentence where it was said just before: an emoji
    "sign.refused": "🚫",
    "sign.wait": "⏳",
    "sign.silenced": "🔇",
    # Loading
    "loading.connecting": "connecting to the model's server",
    "loading.unloaded": "about to begin",
    "loading.starting": "starting",
    "loading.reading": "reading the model",
    "loading.compiling": "compiling it for the device",
    "loading.warming": "warming up",
    "loading.wait": "I'm still loading ({stage}, {elapsed_s} s so far). I'll answer as soon as I'm ready.",
    "loading.wait_last": (
        "I'm still loading ({stage}, {elapsed_s} s so far; last time it took {last_time_s} s). "
        "I'll answer as soon as I'm ready."
    ),
    # Messages without text
    "empty.mention": (
        "Hi! Mention me together with a question, reply to one of my answers, or write to me in private. "
        "`/help` tells you more."
    ),
    "empty.withheld": (
        "Discord doesn't show me the text of messages that don't mention me. Please mention me in your reply, "
        "or use `/ask`."
    ),
    "empty.voice": "I can't listen to voice messages. Please write me your question.",
    "empty.sticker": "Nice sticker! But I can only read text: please write me your question.",
    "empty.poll": "I can't read polls. Please write me your question as text.",
    "empty.forward": "I can't read what was forwarded here, as it has no text. Please write me your question.",
    "empty.attachment": "There is nothing in this that I can read. Please write me your question as text.",
    "empty.quote": "There is nothing in the message you replied to that I can read. Please write me your question.",
    "empty.quote_withheld": (
        "Discord doesn't show me the text of the message you replied to. Please copy what you want me to read "
        "into your question."
    ),
    # Answers on their way
    "answer.next": "You're next. I'll answer in this message.",
    "answer.waiting_one": "One question is before yours. I'll answer in this message.",
    "answer.waiting": "{ahead} questions are before yours. I'll answer in this message.",
    "answer.next_s": "You're next, in about {wait_s} s. I'll answer in this message.",
    "answer.waiting_one_s": "One question is before yours, about {wait_s} s. I'll answer in this message.",
    "answer.waiting_s": "{ahead} questions are before yours, about {wait_s} s. I'll answer in this message.",
    "answer.writing": "I'm writing my answer. It appears here once it is complete.",
    # What stands on the buttons under an answer
    "button.stop": "Stop",
    "button.leave": "Leave the queue",
    "button.regenerate": "Regenerate",
    "button.older": "◀",
    "button.place": "{version}/{versions}",
    "button.newer": "▶",
    "button.continue": "Continue",
    # How an answer ended, where that needs a word
    "answer.empty": "I have no answer to that. Try to ask it in other words.",
    "answer.stopped": "-# stopped",
    "answer.length": "-# … cut off at {tokens} tokens",
    "guard.self_dialogue": "-# I began to write your part of our conversation as well, twice, so I stopped here",
    "guard.loop": "-# I began to repeat myself without end, twice, so I stopped here",
    "guard.role_marker": "-# I began to write marks that only I should read, twice, so I stopped here",
    "guard.prompt_echo": "-# I began to recite my instructions, twice, so I stopped here",
    "answer.interrupted": "-# I'm being restarted; I'll finish this when I'm back",
    "answer.dropped_one": "-# our oldest exchange no longer fits into what I can read at once, so I left it out",
    "answer.dropped": "-# our {count} oldest exchanges no longer fit into what I can read at once, so I left them out",
    "answer.summarized_one": "-# I had no more room for our oldest exchange, so from here on I go by a summary of it",
    "answer.summarized": (
        "-# I had no more room for our {count} oldest exchanges, so from here on I go by a summary of them"
    ),
    "answer.as_file": "-# the whole answer is in the file below",
    "answer.not_all": "-# the rest does not fit here, and I may not attach files",
    "answer.kept_in_room": "-# I keep this, although you chose otherwise: here all share one conversation",
    "answer.kept_by_bounds": "-# I keep this, although you chose otherwise: the admins here don't allow that",
    "answer.out_of_time": "-# Discord lets me write here for 15 minutes only, so I stopped; ask me to go on",
    "answer.refused": "Discord did not accept the text of my answer, so I can't show it here.",
    # Files that were not read, or not to their ends; {names} are one or more
    "file.cut": "-# I read only the first {percent} % of {name}",
    "file.quote_cut": "-# I read only the first {percent} % of what {name} wrote",
    "file.unread": "-# I could not read: {names}",
    "file.off": "-# I'm not allowed to read files: {names}",
    "file.too_many": "-# I read at most {count} files at once, so I left out: {names}",
    "file.too_large": "-# this is larger than the {limit_mb} MB that I read: {names}",
    "file.too_large_together": "-# these are more than the {together_mb} MB that I read at once: {names}",
    "file.unreachable": "-# Discord did not give me this: {names}",
    "file.elsewhere": "-# this is not on Discord's own servers, so I did not open it: {names}",
    "file.empty": "-# there is nothing in it: {names}",
    "file.picture": "-# I can't look at pictures: {names}",
    "file.sound": "-# I can't listen to recordings: {names}",
    "file.video": "-# I can't watch videos: {names}",
    "file.archive": "-# I don't look into archives: {names}",
    "file.document": "-# I can't read this format, but I can read PDF and text: {names}",
    "file.binary": "-# this is no text that I could read: {names}",
    "file.pdf_locked": "-# this PDF is locked with a password: {names}",
    "file.pdf_scanned": "-# this PDF has no text, only pictures of its pages: {names}",
    "file.pdf_broken": "-# this PDF is damaged: {names}",
    "file.too_hard": "-# reading this would take me too much memory or time: {names}",
    # Slash commands: what Discord's menu shows (at most 100 characters each)
    "command.ask": "Ask me a question",
    "command.ask.question": "What you want to know",
    "command.ask.file": "A text, PDF or other file to read for it",
    "command.reset": "Begin a new conversation: I'll know nothing of what we said before",
    "command.reset.scope": "Only our conversation in this channel, or all of yours with me",
    "command.history": "Show what I still know of our conversation here, to you alone",
    "command.stop": "Stop the answer that I'm writing to you here",
    "command.thread": "Continue our conversation in a thread, where you needn't mention me",
    "command.conversation": "For moderators: make this channel one conversation of all, or each person's own again",
    "command.conversation.mode": "shared: one of all who write here; private: everybody has one of their own",
    "command.model": "Which models I have",
    "command.model.show": "Show the models I have, how fast each is here, and which one answers in this channel",
    "command.model.set": "For those who manage this server: choose the model that answers",
    "command.model.set.model": "Its name, as `/model show` lists it",
    "command.model.clear": "For those who manage this server: go back to the usual model",
    "command.model.for": "Only this channel, or the whole server",
    "command.admin": "For those who manage this server: what I may do here",
    "command.admin.pause": "Take no more questions; what was asked before is still answered",
    "command.admin.resume": "Take questions again",
    "command.admin.permissions": "Show which of the permissions that I need are missing in this channel and server",
    "command.admin.bounds": "Within what people here may choose how I answer them",
    "command.admin.bounds.set": "Set bounds; those that you leave out stay as they are",
    "command.admin.bounds.clear": "Take all bounds away that were set here",
    "command.admin.bounds.show": "Show which bounds hold here",
    "command.admin.bounds.lowest_temperature": "No answer is sampled with less, not even by default",
    "command.admin.bounds.highest_temperature": "No answer is sampled with more; 0: always the likeliest word",
    "command.admin.bounds.lowest_top_p": "No answer is sampled with a smaller top-p",
    "command.admin.bounds.highest_top_p": "No answer is sampled with a larger top-p",
    "command.admin.bounds.longest_answer": "The longest answer, in tokens",
    "command.admin.bounds.sampling": "fixed: nobody changes temperature, top-p and seed",
    "command.admin.bounds.no_store": "Whether people may choose that I keep nothing of what they ask",
    "command.admin.user": "A person",
    "command.admin.role": "A role",
    "command.admin.channel": "A channel with its threads, a thread, or a whole category",
    "command.admin.block": "Answer a person, a role, or in a channel no more",
    "command.admin.allow": "Answer only those people, or only in those channels, that you allow",
    "command.admin.clear": "Take a person, a role or a channel off the lists of block and allow",
    "command.admin.clear.deleted": "Take roles and channels off the lists that exist no more",
    "command.admin.age_restricted": "Answer in age-restricted channels only, or in all",
    "command.admin.age_restricted.only": "on: in age-restricted channels only; off: in all",
    "command.admin.persona_roles": "The roles that may change personas, beside those who manage the server",
    "command.admin.persona_roles.add": "Let a role change personas",
    "command.admin.persona_roles.remove": "Let a role change personas no more",
    "command.admin.words": "Words that are refused in questions and masked in answers",
    "command.admin.words.add": "Filter words and phrases",
    "command.admin.words.add.words": "One or several, with commas between them; * at the end of one means any ending",
    "command.admin.words.remove": "Filter words and phrases no more",
    "command.admin.words.remove.words": "As they stand in the list, with commas between them",
    "command.admin.words.list": "Show the words that are filtered, to you alone",
    "command.admin.history": "Show what a person asked me in this server, and what I answered, to you alone",
    "command.admin.wipe": "Erase a person's conversations with me in this server, after you confirm it",
    "command.admin.rules": "Show everything that holds here: who is blocked and allowed, and what else is set",
    "command.admin.quota": "How much people may use me here",
    "command.admin.quota.set": "Limit everybody here, or a role or a person; what you leave out stays as it is",
    "command.admin.quota.unlimited": "Take all limits of this server off everybody, or a role or a person",
    "command.admin.quota.clear": "Take back what was decided for everybody here, or for a role or a person",
    "command.admin.quota.show": "Show what was decided here",
    "command.admin.quota.grant": "Give somebody more tokens for today",
    "command.admin.quota.grant.user": "Who gets them",
    "command.admin.quota.grant.tokens": "How many more, on top of the limit; they are gone at midnight UTC",
    "command.admin.quota.user": "Show what somebody has used here today, and what is left",
    "command.admin.quota.user.user": "Whom you want to know it of",
    "command.admin.quota.cooldown": "Seconds between two questions of one person; 0: none",
    "command.admin.quota.questions": "Questions of one person in a minute",
    "command.admin.quota.tokens": "Tokens of one person a day: of the questions and of my answers",
    "command.admin.quota.role": "Only those with this role; of several roles the most generous holds",
    "command.admin.quota.person": "Only this person, whatever their roles",
    "command.quota": "Show how much you may use me here, what is left of it, and when it renews",
    "command.help": "What I can do and how to talk to me",
    "command.context": "Show what fills the room I have for our conversation here, and choose what I must keep",
    "command.pin": "Keep our last exchange in mind, whatever else I have to drop",
    "command.summarize": "Let me sum up our conversation here, so that there is room to go on",
    "command.settings": "How I answer you: temperature, length, seed, language, streaming, and whether I keep anything",
    "command.persona": "What I am for you, or for everybody in a channel or server",
    "command.persona.show": "Show the persona that I have here, how long it is, and which ones are saved",
    "command.persona.set": "Tell me what to be from your next question on: write it, or take a saved one",
    "command.persona.clear": "Take a persona away",
    "command.persona.save": "Save the persona that is set, to take it again later",
    "command.persona.delete": "Delete a saved persona",
    "command.persona.name": "The name of a saved one",
    "command.persona.new_name": "What to call it",
    "command.persona.for": "Only you, or for those who manage this server: this channel, or the whole server",
    "command.status": "Which model answers, on what device, and how busy I am",
    # What commands answer
    "ask.joined": "Your last question is still waiting, so I'll answer this one together with it.",
    "reset.done": "Done. From here on I know nothing of what we said in this channel.",
    "reset.nothing": "We have no conversation here yet, so there was nothing to forget.",
    "reset.everywhere_one": "Done. I began anew in your one conversation with me.",
    "reset.everywhere": "Done. I began anew in all {count} of your conversations with me.",
    "reset.everywhere_nothing": "We have no conversation yet, so there was nothing to forget.",
    "stop.done": "Stopped.",
    "stop.nothing": "I'm not answering you here right now.",
    "history.nothing": "I know of nothing that we said here.",
    "history.head": "What I know of our conversation here, the newest at the end:",
    "history.you": "**You:** {text}",
    "history.they": "**{user}:** {text}",
    "history.me": "**Me:** {text}",
    "history.no_answer": "(no answer)",
    "history.clipped": "…",
    "history.earlier": "-# earlier exchanges that I still know too: {count}",
    "history.summary": "**My summary of what was before:** {text}",
    "history.no_store": "-# You chose that I keep nothing, so what you ask now is not among this.",
    "history.forgotten": "-# exchanges before that, which no longer fit into what I can read at once: {count}",
    # /context, /pin and /summarize
    "context.head": "**What I have in mind here:** {used_tokens} of the {window_tokens} tokens that I can read at once",
    "context.system": "my instructions: {tokens}",
    "context.summary": "my summary of what was before: {tokens}",
    "context.conversation": "our conversation: {tokens}",
    "context.attachments": "files and quotes: {tokens}",
    "context.pinned": "pinned: {tokens}",
    "context.room": "kept for my answer: {tokens}",
    "context.free": "free: {tokens}",
    "context.dropped": "-# older exchanges that are not among it any more: {count}",
    "context.summarized": "-# older exchanges that I only know from my summary, or not any more: {count}",
    "context.pins": (
        "-# What is pinned is never dropped, up to {limit_tokens} tokens. Choose below what to pin and unpin; `/pin` "
        "pins our last exchange."
    ),
    "context.choose": "Pin or unpin …",
    "context.turn_tokens": "{tokens} tokens",
    "context.wordless": "(no words)",
    "pin.done": (
        "Pinned: “{words}”. {tokens} of the {limit_tokens} tokens that may be pinned are. `/context` lets you unpin it."
    ),
    "pin.already": "That is pinned already: “{words}”. `/context` lets you unpin it.",
    "summarize.already": "I'm writing that summary already.",
    "summarize.freed": (
        "From here on I go by this summary. That freed {freed_tokens} tokens; {used_tokens} are in use now."
    ),
    "summarize.no_shorter": "From here on I go by this summary. It is no shorter than what it stands for, though.",
    "summarize.unsound": "That became no summary to go by, so I keep everything as it was said.",
    "summarize.forgotten": "What I was summing up was deleted meanwhile, so there is no summary.",
    # /settings
    "settings.head": "**How I answer you.** Your choices hold wherever you talk to me, within what the admins allow.",
    "settings.own": "**{what}:** {value} (your choice)",
    "settings.default": "**{what}:** {value}",
    "settings.held": "**{what}:** {value} here, for the admins don't allow {wanted}",
    "setting.temperature": "Temperature",
    "setting.top_p": "Top-p",
    "setting.max_new_tokens": "Longest answer",
    "setting.seed": "Seed",
    "setting.streaming": "Streaming",
    "setting.language": "Language",
    "setting.no_store": "Keep nothing",
    "settings.greedy": "0, always the likeliest word",
    "settings.tokens": "{tokens} tokens",
    "settings.no_seed": "another one each time",
    "settings.no_language": "none in particular",
    "settings.on": "yes",
    "settings.off": "no",
    "settings.note.greedy": "-# At temperature 0 neither top-p nor seed changes anything.",
    "settings.note.seed": (
        "-# The same question with the same seed and the same things said before gets the same answer. Only what else "
        "the device computes at that time changes the last digits, and so, now and then, a word."
    ),
    "settings.note.language": (
        "-# I ask the model to answer in it. A small one does not always obey, and is best in English."
    ),
    "settings.note.no_store": (
        "-# Nothing is kept: your question and my answer leave my disk as soon as my answer has ended. So each "
        "question stands alone; reply to a message to bring it in. What you asked before stays, until you forget it. "
        "Discord keeps its messages, and how many tokens you used is still counted."
    ),
    "settings.note.room": "-# In this channel I keep what you ask all the same, for here all share one conversation.",
    "settings.reset": "-# All is as it is set up here again.",
    "settings.same": "-# That was so already.",
    "settings.option": "{what}: {value}",
    "settings.option.default": "{what}: as it is set up here ({value})",
    "setting_hint.careful": "careful",
    "setting_hint.lively": "livelier",
    "setting_hint.free": "as free as the model learned to be",
    "setting_hint.bold": "bold; may ramble",
    "setting_hint.all_words": "every word may come",
    "setting_hint.most_words": "without the unlikeliest words",
    "setting_hint.likely_words": "likely words only",
    "setting_hint.likeliest_words": "the likeliest words only",
    "setting_hint.short": "a paragraph",
    "setting_hint.medium": "half of what is possible",
    "setting_hint.long": "as long as is possible",
    "settings.button": "{what}: {value}",
    "setting_button.numbers": "Exact numbers …",
    "setting_button.reset": "Reset all",
    "settings.form_title": "Exact numbers",
    "settings.form_empty": "Empty: as it is set up here ({value})",
    "setting_form.temperature": "Temperature, from 0 to {highest}",
    "setting_form.top_p": "Top-p, from {lowest} to 1",
    "setting_form.max_new_tokens": "Longest answer in tokens, at most {most}",
    "setting_form.seed": "Seed, a whole number from 0",
    "setting_wrong.temperature": "“{given}” is no temperature: that is a number from 0 to {highest}, such as 0.7.",
    "setting_wrong.top_p": "“{given}” is no top-p: that is a number from {lowest} to 1, such as 0.9.",
    "setting_wrong.max_new_tokens": "“{given}” is no length: that is a whole number of tokens from 1 to {most}.",
    "setting_wrong.seed": "“{given}” is no seed: that is a whole number from 0 to {largest}.",
    "setting_wrong.language": "“{given}” is no language that I can ask for.",
    # Languages, each by its own name
    "language.ar": "العربية",
    "language.cs": "Čeština",
    "language.da": "Dansk",
    "language.de": "Deutsch",
    "language.en": "English",
    "language.es": "Español",
    "language.fi": "Suomi",
    "language.fr": "Français",
    "language.he": "עברית",
    "language.hu": "Magyar",
    "language.it": "Italiano",
    "language.ja": "日本語",
    "language.ko": "한국어",
    "language.nl": "Nederlands",
    "language.no": "Norsk",
    "language.pl": "Polski",
    "language.pt": "Português",
    "language.ru": "Русский",
    "language.sv": "Svenska",
    "language.th": "ไทย",
    "language.tr": "Türkçe",
    "language.uk": "Українська",
    "language.zh": "中文",
    "settings.unchanged": "So nothing is changed. You had entered: {entered}",
    # A message's context menu (at most 32 characters each) and what its entries answer
    "menu.ask_about": "Ask about this",
    "menu.summarize": "Summarize",
    "menu.details": "Answer details",
    "menu.forget": "Forget this",
    "menu.delete": "Delete answer",
    "menu.nothing_to_read": "There is nothing in this message that I can read.",
    "menu.summarize.question": "Please summarize this.",
    "ask_about.title": "Ask about this message",
    "ask_about.label": "Your question",
    "ask_about.lost": (
        "I no longer know which message this was about: I was restarted, or the form was open for too long. Please "
        "choose it again. You wrote:\n{words}"
    ),
    "form.given_back": "{reason}\nYou had written:\n{words}",
    "details.none": "I know nothing about how this came to be: it is none of my answers, or I have forgotten it.",
    "details.head": "**How this answer was made**",
    "details.unknown": "Which model wrote it, and how, was not written down.",
    "details.model": "**Model:** {model}",
    "details.model_revision": "**Model:** {model}, revision {revision}",
    "details.device": "**Device:** {device} (engine {engine})",
    "details.greedy": "**Choice of words:** always the likeliest, so no seed",
    "details.sampled": "**Choice of words:** by chance, seed {seed}, temperature {temperature}, top-p {top_p}",
    "details.tokens": "**Tokens:** {tokens_in} in, {tokens_out} out",
    "details.discarded": "**Thrown away on the way:** {tokens} tokens that went wrong",
    "details.turns_used": "**Earlier exchanges that I had in mind:** {count}",
    "details.has_summary": "**And a summary** of still earlier ones",
    "details.turns_dropped": "**Dropped just before it, for want of room:** {count}",
    "details.first_token": "**First word after:** {first_token_s} s",
    "details.speed": "**Speed:** {tokens_per_s} tokens a second",
    "details.version": "**Version:** {version} of {versions}",
    "details.batch": (
        "-# The same seed need not give the same text: what else the device computes at that time changes the last "
        "digits, and so, now and then, a word."
    ),
    "forget.none": "I know nothing of this message, so there is nothing to forget.",
    "forget.done": "Forgotten: the question, and my answer with all its versions. I know nothing of it any more.",
    "forget.done_but_shown": (
        "Forgotten: I know nothing of it any more. But Discord didn't let me delete all that I wrote there."
    ),
    "delete.none": "There is no answer of mine here that I know of.",
    "delete.done": "Deleted. I still have in mind what was said; “{forget}” makes me forget that too.",
    "delete.failed": "Discord didn't let me delete all that I wrote there. I still have in mind what was said.",
    "status.model": "**Model:** {model} (engine {engine}, window {context_tokens} tokens)",
    "status.device": "**Device:** {device}",
    "status.ready": "**State:** ready",
    "status.unloaded": "**State:** ready; the next question loads this model",
    "status.loading": "**State:** loading ({stage}, {elapsed_s} s so far)",
    "status.queue": "**Questions:** {running} being answered, {waiting} waiting",
    "status.latency": "**Discord:** {latency_ms} ms away",
    "status.withheld": (
        "**Message content:** off, so I see only messages that mention me, and DMs. My admin can switch the "
        "intent on in Discord's developer portal."
    ),
    "thread.opened": "We go on in {thread}.",
    "thread.begun": "{user}, we go on here: I know what we said. You needn't mention me in this thread.",
    "thread.begun_anew": "{user}, let us talk here. You needn't mention me in this thread.",
    "thread.begun_withheld": (
        "{user}, we go on here: I know what we said. Please mention me with every question; Discord doesn't show me "
        "the text of other messages."
    ),
    "thread.begun_anew_withheld": (
        "{user}, let us talk here. Please mention me with every question; Discord doesn't show me the text of other "
        "messages."
    ),
    "thread.unnamed": "Our conversation",
    "thread.nothing": "We have no conversation here yet that could go on in a thread. Ask me something first.",
    "thread.not_here": "I can open threads in a server's text channels only.",
    "thread.not_allowed": "You may not open threads here, so I don't open one for you.",
    "thread.forbidden": "I may not do that here: I lack the permission {permission}. A moderator can give it to me.",
    # A server that is not served
    "unserved.leaving": (
        "My owner lets me answer in certain servers only, and this is none of them, so I'm leaving again."
    ),
    # Permissions that are missing, for a server's admins
    "lacking.silent": (
        "I was asked something in {channel} on {server} and can't answer there, as I lack permissions: "
        "**{permissions}**. You can give them to me in the channel's settings, under Permissions. I say this only once."
    ),
    "lacking.partly": (
        "I answer in {channel} on {server}, but not as well as I could, as I lack permissions: **{permissions}**. "
        "You can give them to me in the channel's settings, under Permissions. I say this only once."
    ),
    # /admin permissions
    "granted.direct": "In direct messages I need no permissions. Use this in a channel of a server.",
    "granted.head": "**What I may do in {channel}:**",
    "granted.has": "✅ {permission}",
    "granted.lacking": "❌ {permission}: {purpose}",
    "granted.roles_whole": "**My roles in this server** give me all that I need; a channel can still take it away.",
    "granted.roles": "**My roles in this server** don't give me: {permissions}",
    "granted.elsewhere": "In {channel} I lack: {permissions}",
    "granted.more": "-# and something in {count} more channels",
    # Permissions as Discord names them, and what they are for
    "permission.view_channel": "View Channels",
    "permission.send_messages": "Send Messages",
    "permission.send_messages_in_threads": "Send Messages in Threads",
    "permission.read_message_history": "Read Message History",
    "permission.attach_files": "Attach Files",
    "permission.add_reactions": "Add Reactions",
    "permission.create_public_threads": "Create Public Threads",
    "purpose.view_channel": "to see the channels where I am asked",
    "purpose.send_messages": "to answer",
    "purpose.send_messages_in_threads": "to answer in threads",
    "purpose.read_message_history": "to answer as a reply, and to read what a question replies to",
    "purpose.attach_files": "to give a very long answer as one file instead of many messages",
    "purpose.add_reactions": "to give a sign where a sentence would be too much, or is not possible",
    "purpose.create_public_threads": "for /thread",
    "conversation.shared": (
        "From now on this is one conversation of all who talk to me here, and the model reads your names with what you "
        "say. `/conversation private` ends that."
    ),
    "conversation.private": "From now on everybody has a conversation of their own with me here.",
    "conversation.shared_already": "This is one conversation of all already.",
    "conversation.private_already": "Everybody has a conversation of their own here already.",
    "help": (
        "I'm a bot that answers with a language model running on my owner's own machine.\n"
        "**Talk to me:** mention me, reply to one of my answers, or write to me in private. "
        "I remember our conversation, separately for each person and channel.\n"
        "**Reply** to an older answer to go on from there, or mention me in a reply to anybody's to bring that in. "
        "Edit your question and I answer anew; delete it and I forget it.\n"
        "**Attach files** if you like: I read text, code, tables, notebooks and PDFs, but no pictures.\n"
        "`/ask` asks me a question\n"
        "`/stop` stops the answer I'm writing to you\n"
        "`/reset` begins a new conversation, in this channel or everywhere\n"
        "`/history` shows you what I still know of our conversation\n"
        "`/context` shows what fills the room I have for it, and lets you pin what I must keep\n"
        "`/pin` pins our last exchange\n"
        "`/summarize` lets me sum our conversation up, to make room\n"
        "`/thread` continues our conversation in a thread, where you needn't mention me\n"
        "`/conversation` makes a channel one conversation of all (moderators)\n"
        "`/settings` lets you choose how I answer you\n"
        "`/persona` tells me what to be for you\n"
        "`/quota` shows what is left of your quota\n"
        "`/status` shows the model, the device and how busy I am\n"
        "`/model` shows which models I have and which one answers here\n"
        "`/admin` decides what I may do here (whoever manages the server)\n"
        "**On any message** (press and hold it, or right-click, then Apps): ask about it, have it summarized, see how "
        "an answer of mine was made, let me forget it, delete my answer.\n"
        "A language model can be wrong: check what matters."
    ),
    # The terminal user of the loopback Discord
    "terminal.greeting": "Write to {bot}, or a command such as /help. /quit ends.",
    "terminal.waiting": "Waiting for {bot} to come online ...",
    "terminal.typing": "{bot} is typing ...",
    "terminal.only_you": "only you see this",
    "terminal.no_command": "There is no command /{name}. There are: {known}",
    "terminal.nearest_command": "There is no command /{name}. Did you mean {nearest}? There are: {known}",
    "terminal.usage": "This command is used as: {usage}",
    "terminal.no_response": "The application did not respond.",
    "terminal.no_answer": "{bot} has given no sign for {patience_s} s; I have stopped waiting for its answer.",
    "terminal.sign": "{bot} reacted with {sign} and does not answer this; it said why a moment ago.",
    "terminal.refused": "Discord refused this: {reason}",
    "terminal.too_long": "Your message is too long: {chars} characters, Discord allows {limit}.",
    "terminal.form": (
        "A form, “{title}”. An empty line leaves a field as it is; a line that begins with / closes the form."
    ),
    "terminal.field": "{label}:",
    "terminal.field_now": "{label}, now: {now}",
    "terminal.form_closed": "The form is closed. Nothing was sent.",
    "terminal.form_incomplete": "A field of the form that must be filled in is empty. Nothing was sent.",
    "terminal.quit_hint": "({quit} ends this)",
    "terminal.offline": (
        "{bot} did not come online within {within_s} s. It connects to 127.0.0.1: is the loopback interface up?"
    ),
    # /quota and /admin quota
    "quota.head": "**What you may use**",
    "quota.head_of": "**What {who} may use**",
    "quota.everywhere": "**Everywhere**, in all servers and direct messages together:",
    "quota.here": "**In this server:**",
    "quota.tokens_used": "tokens today: {tokens} used, no limit",
    "quota.tokens": "tokens today: {left} of {limit} left; all of them again <t:{renews_at}:R>",
    "quota.tokens_granted": (
        "tokens today: {left} of {limit} left, {granted} of them granted for today only; new ones <t:{renews_at}:R>"
    ),
    "quota.questions": "questions a minute: {left} of {limit} left",
    "quota.questions_renew": "questions a minute: {left} of {limit} left; all of them again in {wait_s} s",
    "quota.cooldown": "one question every {cooldown_s} s: the next one in {wait_s} s",
    "quota.cooldown_over": "one question every {cooldown_s} s: the next one at once",
    "quota.what_counts": (
        "-# Tokens are counted for what you ask, with quotes and files, and for all that I write to you, also where "
        "you stop, edit or delete it or have it made again; not for what was said before. A token is about three "
        "quarters of an English word. The day ends at midnight UTC. An edit, a new version, a continued answer and a "
        "summary count as questions; lines that I answer together count as one."
    ),
    "quota.everybody": "everybody, everywhere",
    "quota.everybody_here": "everybody in this server",
    "quota.says_cooldown": "one question every {cooldown_s} s",
    "quota.says_no_cooldown": "no pause between questions",
    "quota.says_questions": "{per_minute} questions a minute",
    "quota.says_tokens": "{tokens} tokens a day",
    "quota.says_unlimited": "no limits",
    "quota.chosen": "From now on, for {who}: {limits}.",
    "quota.same": "Nothing changed, for {who}: {limits}.",
    "quota.cleared": "What was decided for {who} no longer holds.",
    "quota.nothing_to_clear": "Nothing was decided for {who}.",
    "quota.rules_here": "**What one person may use in this server:**",
    "quota.rules_everywhere": "**What one person may use, everywhere together:**",
    "quota.rule": "{who}: {limits}",
    "quota.more_rules": "… and {count} more",
    "quota.no_rules": "Nothing was decided.",
    "quota.beside": "-# For everybody, in all servers and direct messages together, my owners allow: {limits}.",
    "quota.granted": "{who} has {tokens} tokens more for today, {granted} in all.",
    # /model
    "model.here": "**In use here:** {model}",
    "model.here_by_channel": "**In use here:** {model}, as chosen for this channel",
    "model.here_by_server": "**In use here:** {model}, as chosen for this server",
    "model.here_by_everywhere": "**In use here:** {model}, as the bot's owner chose for everywhere",
    "model.missing": "-# {model} was chosen here, but I don't have that model any more.",
    "model.device": "**Device:** {device}",
    "model.row": "• **{model}**: {facts}",
    "model.size": "{size} on disk",
    "model.window": "window {context_tokens} tokens",
    "model.speed": "{tokens_per_s} tokens a second here",
    "model.unmeasured": "speed not measured yet",
    "model.loaded": "loaded",
    "model.loading": "being loaded ({stage}, {elapsed_s} s so far)",
    "model.unloaded": "loaded when it is needed",
    "model.more": "-# and {count} more",
    "model.elsewhere": "-# It runs on another machine, so there is only this one.",
    "model.unusable": "-# cannot be used: {model}: {reason}",
    "model.set_loading": (
        "I'm loading {model}. That can take a minute or more; until it is ready, {old} goes on answering here."
    ),
    "model.set_loading_last": (
        "I'm loading {model}, which took {last_time_s} s last time. Until it is ready, {old} goes on answering here."
    ),
    "model.set_for_channel": "From now on {model} answers in this channel. What was said before is still known.",
    "model.set_for_server": (
        "From now on {model} answers in this server, except in channels with a choice of their own. What was said "
        "before is still known."
    ),
    "model.set_for_everywhere": "From now on {model} answers wherever nobody chose another.",
    "model.overtaken": "{model} is loaded, but somebody chose otherwise meanwhile, so {old} answers here.",
    "model.not_set": "{reason} {old} goes on answering here.",
    "model.cleared": "Done. From now on {model} answers here.",
    "model.nothing_to_clear": "Nothing was chosen there. {model} answers here.",
    # /admin
    "admin.paused_here": "I take no more questions in this server until `/admin resume`. What was asked is answered.",
    "admin.paused_everywhere": (
        "I take no more questions anywhere until `/admin resume` here. What was asked is answered."
    ),
    "admin.resumed_here": "I take questions in this server again.",
    "admin.resumed_everywhere": "I take questions again, except in servers that paused me themselves.",
    "admin.still_paused": "But my owners have paused me everywhere, so I take none yet.",
    "admin.same_here": "Nothing changed: that was so in this server already.",
    "admin.same_everywhere": "Nothing changed: that was so already.",
    "bounds.here": "**Bounds of this server:**",
    "bounds.everywhere": "**Bounds everywhere:**",
    "bounds.none": "none: people choose freely",
    "bounds.temperature": "temperature from {lowest} to {highest}",
    "bounds.top_p": "top-p from {lowest} to {highest}",
    "bounds.longest_answer": "answers of at most {tokens} tokens",
    "bounds.fixed_sampling": "nobody changes temperature, top-p and seed",
    "bounds.no_store_forbidden": "everything asked is kept: nobody may choose otherwise",
    "bounds.crossed": "Nothing changed: the lowest value would be above the highest.",
    # /persona
    "persona.none": "**No persona is set here.** I am what my admin made me.",
    "persona.person": "**Your own persona holds here:** {tokens} of at most {limit_tokens} tokens.",
    "persona.channel": "**The persona of this channel holds here:** {tokens} of at most {limit_tokens} tokens.",
    "persona.server": "**The persona of this server holds here:** {tokens} of at most {limit_tokens} tokens.",
    "persona.everywhere": (
        "**The persona that my owner chose for everywhere holds here:** {tokens} of at most {limit_tokens} tokens."
    ),
    "persona.person_set": "**Your own persona:** {tokens} of at most {limit_tokens} tokens.",
    "persona.channel_set": "**The persona of this channel:** {tokens} of at most {limit_tokens} tokens.",
    "persona.server_set": "**The persona of this server:** {tokens} of at most {limit_tokens} tokens.",
    "persona.everywhere_set": "**The persona for everywhere:** {tokens} of at most {limit_tokens} tokens.",
    "persona.not_set": "No persona is set there.",
    "persona.unused": ("-# That is too long for the model that answers here, so I go by my own instructions instead."),
    "persona.shared": (
        "-# This is one conversation of all who write here, so nobody's own persona holds in it: only that of the "
        "channel or server."
    ),
    "persona.clipped": "-# … and so on: `/persona set` shows all of it.",
    "persona.saved_by_you": "**Saved by you:** {names}",
    "persona.saved_in_server": "**Saved for this server:** {names}",
    "persona.variables": (
        "-# {{user}}, {{server}}, {{channel}} and {{date}} in a persona are filled in when a conversation begins, and "
        "again when older exchanges are left out. With {{time}} I am told the time of day with each question ({zone})."
    ),
    "persona.form_title": "What shall I be?",
    "persona.form_label": "The persona, in your words",
    "persona.form_hint": "You are a grumpy pirate. You talk to {{user}} and answer in one sentence.",
    "persona.person_done": (
        "Done: {tokens} of at most {limit_tokens} tokens. That is what I am for you from your next question on, here "
        "and everywhere else."
    ),
    "persona.channel_done": (
        "Done: {tokens} of at most {limit_tokens} tokens. That is what I am in this channel from the next question on, "
        "except for those with a persona of their own."
    ),
    "persona.server_done": (
        "Done: {tokens} of at most {limit_tokens} tokens. That is what I am in this server from the next question on, "
        "except in channels, and for people, with a persona of their own."
    ),
    "persona.everywhere_done": (
        "Done: {tokens} of at most {limit_tokens} tokens. That is what I am from the next question on wherever nobody "
        "chose another persona."
    ),
    "persona.cleared": "Done. That persona no longer holds.",
    "persona.nothing_to_clear": "No persona is set there, so there was nothing to take away.",
    "persona.saved": "Saved as {name}. `/persona set` takes it again.",
    "persona.deleted": "Deleted. Where it is in use, it stays so.",
    "persona.proposed_of_server": "{name} (this server's)",
    "admin.choose": "Please choose a person, a role or a channel.",
    "admin.blocked": "Blocked: {names}. `/admin clear` ends that.",
    "admin.allowed": "Allowed: {names}. `/admin clear` ends that.",
    "admin.allowed_people": "Here I now answer only the people and roles that are allowed.",
    "admin.allowed_people_everywhere": (
        "In all servers and in direct messages I now answer only the people and roles that are allowed."
    ),
    "admin.allowed_places": "Here I now answer only in the channels that are allowed.",
    "admin.cleared": "Taken off the lists: {count}. `/admin rules` shows what holds now.",
    "admin.cleared_nothing": "Nothing of that was on a list.",
    "admin.roles_gone": "a deleted role ({id})",
    "admin.channels_gone": "a channel that is deleted or hidden from me, or an archived thread ({id})",
    "admin.age_restricted_on": "From now on I answer in age-restricted channels only.",
    "admin.age_restricted_off": "From now on I answer in all channels again, as far as the other rules allow.",
    "admin.persona_role_added": "Whoever has {role} may change personas now.",
    "admin.persona_role_removed": "{role} gives no right to change personas.",
    "admin.words_added": (
        "Added to the filter: {count}. Whoever asks with such a word is refused; in answers it is masked from now on."
    ),
    "admin.words_added_none": "Nothing changed: these are filtered already, hold no letter or digit, or hold a ■.",
    "admin.words_removed": "Taken off the filter: {count}.",
    "admin.words_removed_none": "Nothing changed: none of these is on the list. `/admin words list` shows it.",
    "admin.words_list": "**Filtered words ({count}):** {words}",
    "admin.words_none": "No words are filtered.",
    "admin.rules_words": "- filtered words: {count} (`/admin words list`)",
    "admin.history_nothing": "I know of nothing that {user} and I said in this server.",
    "admin.history_nothing_everywhere": "I know of nothing that {user} and I said, in any server or in private.",
    "admin.history_all": "What {user} asked me and was answered: {count} exchanges.",
    "admin.history_newest": "What {user} asked me and was answered: the newest {shown} of {count} exchanges.",
    "admin.history_place": "## {place}, {at}",
    "admin.history_with": "(with: {names})",
    "admin.wipe_here": (
        "Shall I forget all that {user} and I said in this server? These are {count} exchanges; nobody can bring them "
        "back. My messages in the channels stay; an answer that I'm just writing is taken down."
    ),
    "admin.wipe_everywhere": (
        "Shall I forget all that {user} and I ever said, in all servers and in private? These are {count} exchanges; "
        "nobody can bring them back. My messages in the channels stay; an answer that I'm just writing is taken down."
    ),
    "admin.wipe_button": "Erase",
    "admin.wiped": "Erased: {count} exchanges of {user}.",
    "admin.rules_here": "**What holds in this server**",
    "admin.rules_everywhere": "**What holds everywhere**",
    "admin.rules_owners": "**And everywhere, as my owners decided**",
    "admin.rules_none": "Nothing is set: I answer everybody wherever I can write.",
    "admin.rules_more": "-# More can be set with `/admin quota`, `/admin bounds`, `/persona` and `/model`.",
    "admin.rules_paused": "- I take no questions",
    "admin.rules_age_restricted": "- I answer in age-restricted channels only",
    "admin.blocked_users": "- blocked people: {names}",
    "admin.blocked_roles": "- blocked roles: {names}",
    "admin.blocked_channels": "- blocked channels: {names}",
    "admin.allowed_users": "- only these people: {names}",
    "admin.allowed_roles": "- only whoever has one of these roles: {names}",
    "admin.allowed_channels": "- only in these channels: {names}",
    "admin.rules_personas": "- roles that may change personas: {names}",
    "admin.by": "(by {admin})",
    # Commands that can't be answered
    "command.not_here": "I don't answer here. Please ask my admin.",
    "command.too_late": "Your command took too long to reach me. Please try again.",
    "command.outdated": "This command has changed. Please try again in a minute, or restart your Discord.",
}

CATALOGUE: Final[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH, "de": GERMAN}


def text(key: str, locale: str = DEFAULT_LOCALE, /, **fields: object) -> str:
    """Return the sentence `key` in `locale`, its fields filled in. Raises: KeyError for an unknown key or field."""
    language = locale.split("-", maxsplit=1)[0]
    for name in (locale, language, DEFAULT_LOCALE):
        template = CATALOGUE.get(name, {}).get(key)
        if template is not None:
            return template.format(**fields)
    raise KeyError(key)
