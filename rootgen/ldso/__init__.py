"""(vocabulary of ldso: written with the room)"""
