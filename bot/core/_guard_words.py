"""The words that the guard knows people, models and turns by, in the languages that people write most.

Lists and patterns only; `bot.core._guard_turns` says what they mean.
"""
# ruff: noqa: E501, RUF001, SIM905 - word lists: long lines and letters that look like others are what they are made of

from __future__ import annotations

import re
from typing import Final

USER: Final = (
    "user|human|usuario|usuária|usuário|utilisateur|utilisatrice|benutzer|benutzerin|nutzer|nutzerin|utente|utilizador|"
    "utilizator|gebruiker|użytkownik|uživatel|používateľ|felhasználó|användare|bruger|bruker|käyttäjä|kullanıcı|"
    "пользователь|користувач|человек|χρήστης|المستخدم|משתמש|उपयोगकर्ता|người dùng|pengguna|ผู้ใช้|用户|用戶|使用者|人类|"
    "ユーザー|人間|사용자|humano|humain|mensch|umano"
).split("|")
BOT: Final = (
    "assistant|ai|ki|ia|bot|phibot|chatbot|ai assistant|model|chatgpt|gpt|phi|phi-3|assistent|assistente|asistente|"
    "asystent|asistan|ассистент|помощник|бот|助手|人工智能|アシスタント|어시스턴트|βοηθός|المساعد|עוזר"
).split("|")
QUESTION: Final = "q|question|frage|pregunta|pergunta|domanda|vraag|pytanie|вопрос|问|問|问题|質問|질문".split("|")

ROLE: Final = (
    r"user|assistant|system|end|human|model|bot|tool|im_start|im_end|im_sep|endoftext|eot_id|eom_id|start_header_id|"
    r"end_header_id|begin_of_text|end_of_text|end_of_turn|start_of_turn|endofturn|prompter|pad|sep|placeholder\d?|"
    r"begin.of.sentence|end.of.sentence"
)

ASKS_FOR_DIALOGUE: Final = re.compile(
    r"\b(dialog\w*|conversation|screenplay|skit|sketch|scene|interview\w*|transcript\w*|role.?play\w*|few.?shot|chat ?logs?|"
    r"(?:a|the|this|sample|example|group|fake|imaginary) chat|script (?:for|of|between)|(?:play|movie|film) script|"
    r"(?:argument|debate|talk|discussion|exchange|messages|chat) (?:between|with)|logs?|chat with|chatbots?|(?:my|an?|our) (?:\w+ )?(?:bot|assistant)|stor(?:y|ies)|fables?|tales?|chapters?|geschichte|märchen|cuento|histoire|storia|сказк\w*|рассказ\w*|gespräch\w*|drehbuch|"
    r"szene|protokoll|chatverlauf|diálogo|conversación|conversa|guion|guión|entrevista|escena|scénario|scène|entretien|"
    r"conversazione|copione|intervista|gesprek|rozmowa|диалог\w*|разговор\w*|сценари\w*|интервью)\b|"
    r"对话|對話|剧本|劇本|会話|故事|対話|台本|대화|대본",
    re.IGNORECASE,
)
ASKS_FOR_QUESTIONS: Final = re.compile(
    r"\b(faqs?|q ?& ?a|q and a|quiz\w*|trivia|flash ?cards?|exams?|examinations?|exercises?|questions?|ask|jokes?|riddles?|test|witz\w*|"
    r"rätsel|fragen?|fragt?|preguntas?|examen|chiste|acertijo|blague|devinette|domande?|perguntas?|вопрос\w*|анекдот|шутк\w*)\b|"
    r"问题|問題|质问|質問|クイズ|질문|퀴즈|谜语",
    re.IGNORECASE,
)
ASKS_FOR_MARKERS: Final = re.compile(
    r"\b(chat.?ml|chat templates?|prompt (?:template|format|syntax)s?|(?:special|control|role|stop) (?:token|marker|tag)s?|"
    r"instruct(?:ion)? format|tokenizer|llama|alpaca|injections?|jailbreak\w*|vicuna|mistral|gemma|phi.?3|prompt (?:llama|phi))\b",
    re.IGNORECASE,
)
ANNOUNCES: Final = re.compile(
    r"\b(dialog\w*|conversation|transcript|script|scene|interview|chat|faqs?|frequently asked|q ?& ?a|quiz|questions|"
    r"example|gespräch|häufige|beispiel|preguntas|ejemplo|exemple|esempio|пример)\b|常见|例",
    re.IGNORECASE,
)
DEFINES: Final = re.compile(
    r"(?:an?|the|any|anyone|someone|somebody|one who|those|people|person|who|whoever|what|can|may|has|have|is|are|reads?|"
    r"writes?|full|limited|uses?|ein\w*|der|die|das|wer|un|une|el|la|le|quien|qui)\b",
    re.IGNORECASE,
)
SPEAKS: Final = re.compile(
    r"(?:i|i'm|i’m|thanks?|thx|hi|hello|hey|h+m+|o|ok|okay|yes|no|please|can you|could you|do you|lol|wait|nice|cool|great|"
    r"danke|ja|nein|ich|gracias|merci|sí|oui)\b",
    re.IGNORECASE,
)  # fmt: skip
SPEAKS_OF_ONESELF: Final = re.compile(
    r"\b(i|i'm|i’m|me|my|ich|mir|mich|mein\w*|je|moi|mon|yo|mi|io|eu|я|мне|мой)\b|我|私|僕|저", re.IGNORECASE
)
